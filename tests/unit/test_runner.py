"""kubepi/machine/runner.py: check, apply, check again; what is counted, shown and passed on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubepi.errors import KubepiError, NotYet, RebootNeeded, StepFailed
from kubepi.machine.host import Host
from kubepi.machine.runner import PROGRESS, Counts, preview, run_plan
from kubepi.machine.state import read_json
from kubepi.machine.step import Finding
from tests.fakes import FakePi, Recorder


def nothing(host: Host) -> None:
    """An apply that helps nobody."""


def fails(error: Exception) -> Callable[[Host], None]:
    def apply(host: Host) -> None:
        raise error

    return apply


@dataclass(frozen=True)
class There:
    """A file that is to be there; `needs` is what its check asks."""

    file: str
    make: Callable[[Host], None] | None = None
    needs: str = ""
    asked: list[str] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return f"step {self.file}"

    def check(self, host: Host) -> Finding | None:
        self.asked.append("check")
        if self.needs and not host.exists(self.needs):
            raise NotYet(self.needs)
        return None if host.exists(self.file) else Finding("is missing")

    def apply(self, host: Host) -> None:
        self.asked.append("apply")
        if self.make is None:
            # in place and unsynced, as programs write
            host.path(self.file).write_text("here")
        else:
            self.make(host)


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path / "root", {"/a": "there"})


def test_counts_what_was_right_and_what_was_made_right(pi: FakePi) -> None:
    progress, steps = Recorder(), [There("/a"), There("/b"), There("/c")]
    counts = run_plan(steps, pi, progress)
    assert counts == Counts(ok=1, changed=2, failed=0)
    assert counts.steps == 3
    assert progress.ends == [
        ("ok", "step /a", ""), ("changed", "step /b", "is missing"),
        ("changed", "step /c", "is missing"),
    ]  # fmt: skip
    assert steps[0].asked == ["check"]
    assert steps[1].asked == ["check", "apply", "check"]


def test_a_preview_counts_and_applies_nothing(pi: FakePi) -> None:
    progress, before = Recorder(), pi.tree()
    steps = [There("/a"), There("/b"), There("/c", needs="/b")]
    counts = preview(steps, pi.read_only(), progress)
    assert counts == Counts(ok=1, changed=2)
    assert progress.ends[1:] == [
        ("would change", "step /b", "is missing"), ("would change", "step /c", "needs /b"),
    ]  # fmt: skip
    assert pi.tree() == before
    assert [step.asked for step in steps] == [["check"]] * 3


def test_a_later_step_finds_what_an_earlier_one_made(pi: FakePi) -> None:
    counts = run_plan([There("/b"), There("/c", needs="/b")], pi, Recorder())
    assert counts.changed == 2


def test_what_is_not_there_yet_is_a_failure_in_a_run(pi: FakePi) -> None:
    progress = Recorder()
    with pytest.raises(StepFailed, match="step /c: needs /b, which is not there") as caught:
        run_plan([There("/c", needs="/b")], pi, progress)
    assert caught.value.hint
    assert progress.ends == [("failed", "step /c", "")]


def test_a_step_that_stays_wrong_fails_and_ends_the_run(pi: FakePi) -> None:
    progress, last = Recorder(), There("/d")
    with pytest.raises(StepFailed, match="step /b: still is missing after it was applied"):
        run_plan([There("/a"), There("/b", nothing), last], pi, progress)
    assert progress.ends == [("ok", "step /a", ""), ("failed", "step /b", "")]
    assert last.asked == []


def test_an_error_of_a_step_passes_through(pi: FakePi) -> None:
    progress, error = Recorder(), KubepiError("no room", "make some")
    with pytest.raises(KubepiError) as caught:
        run_plan([There("/b", fails(error)), There("/c")], pi, progress)
    assert caught.value is error
    assert progress.ends == [("failed", "step /b", "")]


def test_what_an_apply_finds_missing_is_a_failure_like_any_other(pi: FakePi) -> None:
    progress = Recorder()
    with pytest.raises(StepFailed, match="containerd"):
        run_plan([There("/b", fails(NotYet("containerd")))], pi, progress)
    assert progress.ends == [("failed", "step /b", "")]


def test_a_reboot_is_no_failure(pi: FakePi) -> None:
    progress = Recorder()
    with pytest.raises(RebootNeeded):
        run_plan([There("/b", fails(RebootNeeded("for x", "later"))), There("/c")], pi, progress)
    assert progress.ends == [("reboot", "step /b", "for x")]


def test_all_is_on_the_disk_before_the_next_step_begins(pi: FakePi) -> None:
    """What a program wrote without a sync must survive a cut in the step behind it."""
    seen: list[int] = []

    def count(host: Host) -> None:
        assert isinstance(host, FakePi)
        seen.append(host.fake_disk.trail.count("sync"))
        host.path("/c").write_text("here")

    run_plan([There("/b"), There("/c", count)], pi, Recorder())
    assert seen == [1]
    assert pi.fake_disk.trail[-1] == "sync"
    pi.power_cut()
    assert pi.read("/b") == "here"
    assert pi.read("/c") == "here"


def test_nothing_is_written_where_all_is_right(pi: FakePi) -> None:
    """An SD card lives longer."""
    pi.fake_disk.effects = 0
    run_plan([There("/a")], pi, Recorder())
    assert pi.fake_disk.effects == 0


def test_the_agent_reads_how_far_it_is(pi: FakePi) -> None:
    reports: list[object] = []

    def look(host: Host) -> None:
        reports.append(read_json(host, PROGRESS))
        host.path("/d").write_text("here")

    plan = [There("/a"), There("/b"), There("/c"), There("/d", look)]
    pi.path("/run").mkdir(exist_ok=True)
    run_plan(plan, pi, Recorder())
    assert reports == [{"step": "step /d", "percent": 75}]


def test_a_cards_partition_is_told_no_progress(pi: FakePi) -> None:
    """What `sdcard` works on has no /run, and is given none."""
    recorder = Recorder()
    run_plan([There("/not-there-yet")], pi, recorder)
    assert recorder.changed()
    assert not pi.exists("/run")


def test_what_a_step_waits_for_and_notes_is_shown(pi: FakePi) -> None:
    progress = Recorder()

    def talk(host: Host) -> None:
        host.on_wait("waiting for x")
        host.say("mind the gap")
        host.path("/b").write_text("here")

    run_plan([There("/b", talk)], pi, progress)
    assert progress.last_wait == "waiting for x"
    assert progress.notes == ["mind the gap"]
