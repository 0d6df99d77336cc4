"""Running programs and waiting for conditions: every failure is a LabError that can be acted on."""

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOCKS = Path("/run/lock")
LAST_LINES = 15


class LabError(Exception):
    """The lab cannot do what it was asked; the text says why."""


def run(
    argv: Sequence[str],
    *,
    check: bool = True,
    log: Path | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its output goes to the result, or to the end of the file `log`.

    `before` runs in the new process. Raises LabError with the last lines of the output if the
    program fails and `check` is set.
    """
    surroundings = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    with open_or_pipe(log) as output:
        result = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=surroundings,
            preexec_fn=before,
            text=True,
            errors="replace",
            check=False,
        )
    if check and result.returncode != 0:
        said = result.stdout if log is None else log.read_text(errors="replace")
        where = "" if log is None else f" (all of it: {log})"
        raise LabError(
            f"`{' '.join(argv)}` ended with {result.returncode}{where}\n{last_lines(said)}"
        )
    return result


@contextmanager
def open_or_pipe(log: Path | None) -> Generator[int]:
    if log is None:
        yield subprocess.PIPE
        return
    with log.open("a") as file:
        yield file.fileno()


def last_lines(text: str, count: int = LAST_LINES) -> str:
    return "\n".join(f"  | {line}" for line in text.rstrip().splitlines()[-count:])


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Whether the condition came true within that time; it is asked at least twice."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return condition()
        time.sleep(every)
    return True


@contextmanager
def locked(name: str, seconds: float) -> Generator[None]:
    """One holder of this name on the machine at a time; waits that long for the one before."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / f"{name}.lock").open("a") as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not wait_until(taken, seconds):
            raise LabError(f"another lab command has held {file.name} for {seconds:.0f} s")
        yield
