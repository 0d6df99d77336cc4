"""Running a program: a list, a small environment, no terminal, a limit on time.

Only Host calls it. Tests: tests/unit/test_host.py.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WATCH_SECONDS = 2.0
Watch = Callable[[], None]


@dataclass(frozen=True)
class Result:
    """What a program answered. `code` 127: it is not there; 124: it took too long."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def execute(
    argv: Sequence[str],
    stdin: str | None,
    timeout: float,
    own_path: bool,
    more: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    drops_stdout: bool = False,
) -> Result:
    """Run to the end; what cannot be run has a code as a shell would give it.

    `drops_stdout`: it is a display for people, which would only fill the memory. `more` is
    added to the environment. `watch` is called every two seconds; what it raises ends the
    program, which can have no stdin then (communicate() loses it after a time-out).
    """
    assert watch is None or stdin is None
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.DEVNULL if drops_stdout else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(own_path) | dict(more or {}),
        )
    except FileNotFoundError:
        return Result(tuple(argv), 127, "", f"{argv[0]}: not found")
    except OSError as error:  # not executable, or emptied by a power cut
        return Result(tuple(argv), 126, "", str(error))
    with process:
        try:
            stdout, stderr = _communicate(process, stdin, timeout, watch)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            said = "".join(_text(part) for part in (error.stdout, error.stderr))
            return Result(tuple(argv), 124, said, f"{argv[0]}: no end after {timeout:.0f} s")
        except BaseException:
            process.kill()
            raise
    return Result(tuple(argv), process.returncode, stdout or "", stderr)


def _communicate(
    process: subprocess.Popen[str], stdin: str | None, timeout: float, watch: Watch | None
) -> tuple[str, str]:
    if watch is None:
        return process.communicate(stdin, timeout)
    end = time.monotonic() + timeout
    while True:
        try:
            return process.communicate(stdin, WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
        watch()


def _text(said: str | bytes | None) -> str:
    """What was read when the time was up is bytes, also of a program read as text."""
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""


def _environment(own_path: bool) -> dict[str, str]:
    """`own_path`: the system's programs, and not what the caller's PATH happens to hold.

    No proxy: kubeadm and kubectl would ask it for the API. What downloads is told of one.
    """
    return {
        "PATH": SYSTEM_PATH if own_path else os.environ.get("PATH", SYSTEM_PATH),
        "LC_ALL": "C.UTF-8",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
    }
