"""The laws of a step, for the tests of single steps: tests/laws holds them for whole plans."""

from collections.abc import Callable
from pathlib import Path

from kubepi.machine import state
from kubepi.machine.step import Step
from tests.fakes import FakePi, PowerCut

MakePi = Callable[[Path], FakePi]


def obeys(step: Step, make_pi: MakePi, tmp_path: Path) -> FakePi:
    """Apply makes check None, twice is once, and a power cut at any effect loses nothing."""
    pi = make_pi(tmp_path / "whole")
    before = pi.tree()
    assert step.check(pi.read_only()) is not None
    assert pi.tree() == before, "a check changed something"
    pi.fake_disk.effects = 0
    step.apply(pi)
    effects = pi.fake_disk.effects
    assert step.check(pi.read_only()) is None
    after, reboot = pi.tree(), pi.read(state.REBOOT)
    step.apply(pi)
    assert pi.tree() == after, "applied twice it is something else"
    assert pi.read(state.REBOOT) == reboot, "applied twice it wants another reboot"
    for effect in range(1, effects + 1):
        cut = make_pi(tmp_path / f"cut-{effect}")
        cut_at(cut, step, effect)
        if step.check(cut.read_only()) is not None:
            step.apply(cut)
        assert step.check(cut.read_only()) is None
        leftovers = {path: entry for path, entry in cut.tree().items() if "kubepi-new" not in path}
        assert leftovers == after, f"after a power cut at effect {effect}"
    return pi


def cut_at(pi: FakePi, step: Step, effect: int) -> None:
    pi.die_at(effect)
    try:
        step.apply(pi)
    except PowerCut:
        pi.power_cut()
    else:
        raise AssertionError(f"there is no effect {effect}")
