"""The one loop: check each step, apply it if there is a finding, check again.

A dry run is the same look without the apply. Tests: tests/unit/test_runner.py, tests/laws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubepi.errors import KubepiError, NotYet, RebootNeeded, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step

PROGRESS = f"{state.RUN}/progress.json"


@dataclass
class Counts:
    """How many steps ended how; the last line of every run."""

    ok: int = 0
    changed: int = 0
    failed: int = 0

    @property
    def steps(self) -> int:
        return self.ok + self.changed + self.failed


class Progress(Protocol):
    """Where the run is shown (kubepi/terminal.py) or recorded (tests)."""

    def begin(self, step: str) -> None: ...

    def waiting(self, what: str) -> None: ...

    def end(self, status: str, step: str, finding: str) -> None: ...

    def note(self, text: str) -> None: ...


def preview(plan: Sequence[Step], host: Host, progress: Progress) -> Counts:
    """What a run would change; `host` is read-only."""
    counts = Counts()
    for step in plan:
        progress.begin(step.name)
        try:
            finding = step.check(host)
        except NotYet as missing:
            finding = Finding(f"needs {missing.what}")
        if finding is None:
            counts.ok += 1
            progress.end("ok", step.name, "")
        else:
            counts.changed += 1
            progress.end("would change", step.name, str(finding))
    return counts


def run_plan(plan: Sequence[Step], host: Host, progress: Progress) -> Counts:
    """Make everything right, in the order of the list; the first failure ends it.

    Raises:
        KubepiError: a step failed; RebootNeeded: the rest comes after a reboot.
    """
    counts = Counts()
    host.on_wait = progress.waiting
    host.say = progress.note
    for number, step in enumerate(plan):
        progress.begin(step.name)
        try:
            finding = _look(step, host)
            if finding is not None:
                _tell_agent(host, step.name, number, len(plan))
                _make_right(step, host, finding)
        except RebootNeeded as reboot:
            progress.end("reboot", step.name, reboot.sentence)
            raise
        except KubepiError as error:
            counts.failed += 1
            host.log.line(f"failed {step.name}: {error.sentence}")
            progress.end("failed", step.name, "")
            raise
        if finding is None:
            counts.ok += 1
            progress.end("ok", step.name, "")
        else:
            counts.changed += 1
            progress.end("changed", step.name, str(finding))
    return counts


def _look(step: Step, host: Host) -> Finding | None:
    try:
        return step.check(host)
    except NotYet as missing:
        raise _lacks(step, missing) from missing


def _lacks(step: Step, missing: NotYet) -> StepFailed:
    return StepFailed(
        f"{step.name}: needs {missing.what}, which is not there",
        "kubepi doctor looks at what the earlier steps should have made",
    )


def _make_right(step: Step, host: Host, finding: Finding) -> None:
    host.log.line(f"step {step.name}: {finding}")
    if host.exists(state.GOAL) and not host.exists(state.PENDING):
        # a repair of a node that was done: a cut or a reboot in it is gone on with too
        host.write(state.PENDING, "", 0o600)
    try:
        step.apply(host)
    except NotYet as missing:
        raise _lacks(step, missing) from missing
    # what a step made must survive a power cut before the next one builds on it
    host.sync()
    left = _look(step, host)
    if left is not None:
        raise StepFailed(
            f"{step.name}: still {left} after it was applied",
            "run the same command again; if it stays so, kubepi doctor looks further",
        )


def _tell_agent(host: Host, step: str, number: int, total: int) -> None:
    """The agent advertises how far this node is; a card's partition has none, and no /run."""
    if not host.is_dir("/run"):
        return
    host.mkdir(state.RUN)
    # /run is a tmpfs: no need for the care that a disk needs
    percent = 100 * number // max(total, 1)
    state.write_json(host, PROGRESS, {"step": step, "percent": percent}, 0o644)
