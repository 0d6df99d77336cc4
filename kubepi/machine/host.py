"""Host: the machine kubepi runs on, with two doors: looking and changing.

Everything that reads or changes the Pi takes a Host. Paths are absolute strings as on the Pi;
the host puts its root before them. Tests: tests/unit/test_host.py, the fake in tests/fakes.py.
"""

import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kubepi.errors import CommandFailed, ReadOnly, StepFailed
from kubepi.log import LOG_FILE, Log
from kubepi.machine.disk import Disk
from kubepi.machine.looking import Files
from kubepi.machine.programs import Result, Watch, execute

__all__ = ["PROBE_SECONDS", "RUN_SECONDS", "Host", "ReadOnlyDisk", "ReadOnlyHost", "Result"]

PROBE_SECONDS = 30.0
RUN_SECONDS = 900.0
LOOKING_LINES = 2  # of what a looking program says, in the log
NO_LINE = -1
LONGEST_PAUSE = 20.0  # seconds between two questions of a wait


class Host(Files):
    """The real machine, or what is below `root` of it."""

    def __init__(self, root: Path = Path("/"), log: Log | None = None) -> None:
        super().__init__(root)
        self.disk = Disk()
        self.log = log or Log(None)
        self.on_wait: Callable[[str], None] = lambda what: None
        self.say: Callable[[str], None] = lambda what: None
        # where a run's time goes that is not kubepi's own (tests/bench/cluster.py)
        self.seconds_in_programs = 0.0
        self.seconds_asleep = 0.0

    # --- programs that only look ----------------------------------------------------------

    def probe(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> Result:
        """Run a program that only looks; a failure is an answer like any other."""
        return self._execute(argv, stdin, timeout, LOOKING_LINES)

    def glance(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> str | None:
        """What a program that only looks prints; asked every second, so it is not in the log."""
        result = self._execute(argv, stdin, timeout, NO_LINE)
        return result.stdout if result.ok else None

    def failure(self, result: Result, timeout: float = PROBE_SECONDS) -> CommandFailed:
        """A failed program as an error: the line to paste, and the last ten lines it said."""
        output = self.log.redact(f"{result.stdout}\n{result.stderr}".strip())
        tail = "\n".join(f"  {line}" for line in output.splitlines()[-10:])
        reason = {127: "is not installed", 124: f"did not end within {timeout:.0f} s"}.get(
            result.code, f"failed with code {result.code}"
        )
        line = self.log.redact(shlex.join(result.argv))
        return CommandFailed(
            f"{result.argv[0]} {reason}:\n  # {line}\n{tail}".rstrip(),
            f"everything that was run is in {LOG_FILE}",
            output,
        )

    def now(self) -> float:
        """Seconds since 1970, by the Pi's clock, which may be wrong."""
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def uid(self) -> int:
        return os.getuid()

    # --- the changing door ----------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = RUN_SECONDS,
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        drops_stdout: bool = False,
    ) -> Result:
        """Run a program that changes the Pi; `watch` is called every two seconds until it ends.

        `drops_stdout` is for a program that only displays its progress there.

        Raises:
            CommandFailed: it failed; the message shows it as one could paste it.
        """
        result = self._execute(
            argv, stdin, timeout, environment=environment, watch=watch, drops_stdout=drops_stdout
        )
        if not result.ok:
            raise self.failure(result, timeout)
        return result

    def write(
        self,
        name: str,
        content: str | bytes,
        mode: int = 0o644,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Put a whole file in place at once; after a power cut it is the old or the new one.

        `owner` (user and group id) has it from the first moment on.
        """
        data = content.encode() if isinstance(content, str) else content
        target = self._behind_links(name)
        temporary = target.with_name(f".{target.name}.kubepi-new")
        try:
            self.mkdir(str(Path(name).parent))
            self.disk.create(temporary, data, mode)
            if owner is not None:
                self.disk.chown(temporary, *owner)
            self.disk.fsync(temporary)
            self.disk.rename(temporary, target)
            self.disk.fsync(target.parent)
        except OSError as error:
            with suppress(OSError):  # a card that went read-only lets nothing be cleaned up
                temporary.unlink(missing_ok=True)
            raise StepFailed(
                f"cannot write {name}: {error.strerror}",
                "make room (df -h) or check the disk (dmesg), then run the same command again",
            ) from error

    def tune(self, name: str, value: str) -> None:
        """Set something of the running kernel, below /sys; the next boot has forgotten it.

        Raises:
            StepFailed: the kernel refuses.
        """
        try:
            self.disk.tune(self.path(name), value)
        except OSError as error:
            raise StepFailed(f"cannot set {name} to {value}: {error.strerror}") from error

    def mutter(self, name: str, text: str) -> None:
        """Say something on a terminal, if it takes it at once.

        Raises:
            StepFailed: it cannot be opened.
        """
        try:
            self.disk.mutter(self.path(name), text)
        except OSError as error:
            raise StepFailed(f"cannot write to {name}: {error.strerror}") from error

    def mkdir(self, name: str, mode: int = 0o755) -> None:
        path = self.path(name)
        missing = [path, *path.parents]
        for folder in reversed([folder for folder in missing if not folder.exists()]):
            self.disk.mkdir(folder, mode)
            self.disk.fsync(folder.parent)

    def remove(self, name: str) -> None:
        """Remove a file or link; nothing to do where there is none."""
        path = self.path(name)
        if os.path.lexists(path):
            self.disk.unlink(path)
            self.disk.fsync(path.parent)

    def remove_tree(self, name: str) -> None:
        """A folder and all in it; StepFailed if something is mounted there."""
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            self.refuse_mounts(name)
            self.disk.rmtree(path)
            self.disk.fsync(path.parent)

    def empty(self, name: str) -> None:
        """Remove all that is in a folder, but not the folder: it may be a mount point.

        Raises:
            StepFailed: something is mounted below it.
        """
        self.refuse_mounts(name)
        for entry in self.listdir(name):
            self.remove_tree(f"{name}/{entry}")
            self.remove(f"{name}/{entry}")

    def remove_empty(self, name: str) -> None:
        path = self.path(name)
        if path.is_dir() and not path.is_mount() and not any(path.iterdir()):
            self.disk.rmdir(path)
            self.disk.fsync(path.parent)

    def symlink(self, name: str, target: str) -> None:
        self.remove(name)
        self.mkdir(str(Path(name).parent))
        self.disk.symlink(self.path(name), target)
        self.disk.fsync(self.path(name).parent)

    def chmod(self, name: str, mode: int) -> None:
        self.disk.chmod(self.path(name), mode)

    def chown(self, name: str, uid: int, gid: int) -> None:
        self.disk.chown(self.path(name), uid, gid)

    def sync(self) -> None:
        self.disk.sync()

    def random(self, label: str, length: int) -> bytes:
        """`length` random bytes; the label says what for, so that a test can repeat them."""
        return os.urandom(length)

    def sleep(self, seconds: float) -> None:
        self.seconds_asleep += seconds
        time.sleep(seconds)

    def wait_until(
        self, what: str, done: Callable[[], str | None], timeout: float, interval: float = 1.0
    ) -> None:
        """Ask `done` until it answers None; its other answers say what is still in the way.

        A slow Pi is not kept from its work by being asked: twice as long as the answer took is
        waited before the next question.

        Raises:
            StepFailed: `timeout` seconds went by; the sentence holds the last answer.
        """
        start = self.monotonic()
        while True:
            asked = self.monotonic()
            seen = done()
            if seen is None:
                return
            now = self.monotonic()
            waited, took = now - start, now - asked
            if waited > timeout:
                raise StepFailed(
                    f"waited {waited:.0f} s for {what}; last seen: {seen}",
                    f"kubepi doctor looks for the cause; the log is {LOG_FILE}",
                )
            self.on_wait(f"waiting for {what}: {seen}")
            self.sleep(max(interval, min(2 * took, LONGEST_PAUSE)))

    # --- programs -------------------------------------------------------------------------

    def _execute(
        self,
        argv: Sequence[str],
        stdin: str | None,
        timeout: float,
        most_lines: int = 200,
        *,
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        drops_stdout: bool = False,
    ) -> Result:
        start = time.monotonic()
        own_path = self.root == Path("/")
        result = execute(argv, stdin, timeout, own_path, environment, watch, drops_stdout)
        seconds = time.monotonic() - start
        if most_lines == NO_LINE:  # while another program runs, whose time is counted
            return result
        self.seconds_in_programs += seconds
        said = f"{result.stdout}{result.stderr}"
        self.log.command(argv, result.code, said, seconds, most_lines)
        return result


class ReadOnlyDisk(Disk):
    """Every effect is a bug."""

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_"):
            raise ReadOnly(f"a read-only host was asked to {name}")
        return super().__getattribute__(name)


class ReadOnlyHost(Host):
    """For status, doctor and --dry-run: the changing door is shut."""

    def __init__(self, root: Path = Path("/"), log: Log | None = None) -> None:
        super().__init__(root, log)
        self.disk = ReadOnlyDisk()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        timeout: float = RUN_SECONDS,
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        drops_stdout: bool = False,
    ) -> Result:
        raise ReadOnly(f"a read-only host was asked to run {shlex.join(argv)}")
