"""FakePi: real files under a temporary root, scripted programs, a fake clock, and power cuts.

A cut loses what a real one loses: what was not synced (fakedisk.py), everything below /run, and
every running service. Unknown programs are a failure of the test.
"""

import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubepi.log import Log
from kubepi.machine.host import PROBE_SECONDS, RUN_SECONDS, Host, ReadOnlyHost, Result
from kubepi.machine.programs import WATCH_SECONDS, Watch
from tests.fakedisk import FakeDisk, PowerCut

__all__ = ["FakeDisk", "FakePi", "PowerCut", "ReadOnlyPi", "Recorder"]

# What a program does when it is run: yields before each effect of its own, returns its answer.
Answer = tuple[int, str]
Script = Callable[["FakePi", Sequence[str], str], Generator[None, None, Answer] | Answer]


@dataclass
class Program:
    """A scripted program; one that `changes` may not be probed."""

    script: Script
    changes: bool


@dataclass
class Clock:
    """Seconds that pass only when somebody sleeps."""

    seconds: float = 1_800_000_000.0
    on_sleep: list[Callable[[], None]] = field(default_factory=list)


class FakePi(Host):
    """A Pi whose disk, programs and clock belong to the test."""

    def __init__(self, root: Path, files: dict[str, str] | None = None) -> None:
        super().__init__(root, Log(None))
        self.fake_disk = FakeDisk(root)
        self.disk = self.fake_disk
        self.programs: dict[tuple[str, ...], Program] = {}
        self.ran: list[tuple[str, ...]] = []
        self.environments: list[dict[str, str]] = []  # what was added for each of `ran`
        self.probed: list[tuple[str, ...]] = []
        self.running: set[str] = set()
        self.free = 10**12  # bytes, on every disk
        self.size = 64 * 10**9
        self.clock = Clock()
        self.random_made: dict[str, int] = {}
        self.master_knows: set[str] = set()  # Nodes in the etcd of another machine
        self.master_holds = ""  # the objects there, as JSON
        self.etcd_elsewhere: dict[str, str] = {}  # its members besides pi1: learner or voter
        self.static_pods: Callable[[], dict[str, dict[str, str]]] = dict  # containers, by id
        for name, text in (files or {}).items():
            self.put(name, text)
        self.fake_disk.make_all_durable()

    # --- setting the scene ----------------------------------------------------------------

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        for there in (path, *path.parents):
            if there.is_relative_to(self.root):
                self.fake_disk.make_durable(there)

    def looks(self, *prefix: str, script: Script) -> None:
        self.programs[prefix] = Program(script, changes=False)

    def changes(self, *prefix: str, script: Script) -> None:
        self.programs[prefix] = Program(script, changes=True)

    def die_at(self, effect: int) -> None:
        self.fake_disk.effects = 0
        self.fake_disk.die_at = effect

    def power_cut(self) -> None:
        """After PowerCut was raised: what was not synced is gone, and so is /run."""
        self.fake_disk.die_at = None
        self.fake_disk.lose_the_rest()
        run = self.path("/run")
        if run.exists():
            shutil.rmtree(run)
        run.mkdir()
        self.fake_disk.make_all_durable()
        self.running = set()

    def tree(self, ignoring: Iterable[str] = ()) -> dict[str, tuple[str, int]]:
        """Path -> (content or link target, mode) of all that a reset has to give back."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = "/" + str(path.relative_to(self.root))
            if any(name == other or name.startswith(f"{other}/") for other in ("/run", *ignoring)):
                continue
            mode = path.lstat().st_mode & 0o7777
            if path.is_symlink():
                found[name] = (f"-> {path.readlink()}", 0)
            elif path.is_dir():
                found[name] = ("folder", mode)
            else:
                found[name] = (path.read_text(errors="replace"), mode)
        return found

    def read_only(self) -> "ReadOnlyPi":
        return ReadOnlyPi(self)

    # --- Host, faked ----------------------------------------------------------------------

    def probe(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> Result:
        self.probed.append(tuple(argv))
        program = self._find(argv)
        assert program is None or self._may_be_probed(argv, program), f"probed to change: {argv}"
        return self._execute(argv, stdin, timeout)

    def glance(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> str | None:
        result = self.probe(argv, stdin=stdin, timeout=timeout)
        return result.stdout if result.ok else None

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
        self.ran.append(tuple(argv))
        self.environments.append(dict(environment or {}))
        return super().run(
            argv, stdin=stdin, timeout=timeout, environment=environment, watch=watch,
            drops_stdout=drops_stdout,
        )  # fmt: skip

    def now(self) -> float:
        return self.clock.seconds

    def monotonic(self) -> float:
        return self.clock.seconds

    def free_bytes(self, name: str) -> int:
        return self.free

    def size_bytes(self, name: str) -> int:
        return self.size

    def uid(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        self.clock.seconds += max(seconds, 0.01)
        for hook in list(self.clock.on_sleep):
            hook()

    def random(self, label: str, length: int) -> bytes:
        number = self.random_made.setdefault(label, 0)
        return (f"{label}:{number}".encode() * length)[:length]

    @staticmethod
    def _may_be_probed(argv: Sequence[str], program: Program) -> bool:
        # some programs look or change by their words
        if argv[0] == "kubectl":
            return not {"apply", "create", "delete", "label", "patch", "taint"} & set(argv)
        return not program.changes or "--simulate" in argv

    def _find(self, argv: Sequence[str]) -> Program | None:
        words = tuple(argv)
        for length in range(len(words), 0, -1):
            if words[:length] in self.programs:
                return self.programs[words[:length]]
        return None

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
        program = self._find(argv)
        assert program is not None, f"no script for {list(argv)}"
        answer = program.script(self, argv, stdin or "")
        if isinstance(answer, Generator):
            answer = self._drive(answer, argv, watch)
        code, text = answer
        return Result(tuple(argv), code, text if code == 0 else "", "" if code == 0 else text)

    def _drive(
        self,
        script: Generator[None, None, Answer],
        argv: Sequence[str],
        watch: Watch | None = None,
    ) -> Answer:
        while True:
            if watch is not None:
                self.clock.seconds += WATCH_SECONDS
                watch()
            try:
                next(script)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            self.fake_disk.effect(f"in {argv[0]}")


class ReadOnlyPi(ReadOnlyHost):
    """The same Pi behind a closed door: what status, doctor and --dry-run get."""

    def __init__(self, pi: FakePi) -> None:
        super().__init__(pi.root, pi.log)
        self._pi = pi

    def probe(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> Result:
        return self._pi.probe(argv, stdin=stdin, timeout=timeout)

    def glance(
        self, argv: Sequence[str], *, stdin: str | None = None, timeout: float = PROBE_SECONDS
    ) -> str | None:
        return self._pi.glance(argv, stdin=stdin, timeout=timeout)

    def free_bytes(self, name: str) -> int:
        return self._pi.free_bytes(name)

    def size_bytes(self, name: str) -> int:
        return self._pi.size_bytes(name)

    def now(self) -> float:
        return self._pi.now()

    def monotonic(self) -> float:
        return self._pi.monotonic()

    def uid(self) -> int:
        return 0


class Recorder:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str, str]] = []
        self.notes: list[str] = []

    def begin(self, step: str) -> None:
        self.current = step

    def waiting(self, what: str) -> None:
        self.last_wait = what

    def end(self, status: str, step: str, finding: str) -> None:
        self.ends.append((status, step, finding))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def changed(self) -> list[str]:
        return [step for status, step, _ in self.ends if status != "ok"]
