"""The laws of `disable` and `enable`: what went comes back as it was, whatever the power does.

Cut at every effect, the Pi boots and `resume` goes on: to a node that is disabled, or, where that
lasts until the next boot, to one in service.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.commands import resume
from kubepi.decide.disabled import Disabled
from kubepi.machine import disabled, state
from kubepi.reconcile import Options, reconcile_disabled, reconcile_enabled
from tests.containerd_programs import running_containers, runs_container
from tests.fakedisk import PowerCut
from tests.fakes import FakePi
from tests.laws.test_plans import UNEQUAL, run
from tests.scene import fresh_pi, init_goal, join_goal, power_on

WAIVED = {"preflight__ignore": ["board", "clock", "memory", "network", "processors", "userland"]}
GOALS = {"master": init_goal(**WAIVED), "worker": join_goal(**WAIVED)}
UNTIL = {
    "until it is enabled": Disabled("enable", whole=True),
    "until a boot": Disabled("boot", whole=True),
}
QUIET = Options(quiet_ok=True)
Act = Callable[[FakePi], None]
each_role = pytest.mark.parametrize("role", GOALS)


def member(folder: Path, role: str) -> FakePi:
    """In its cluster, with a pod, and all of it on the disk."""
    pi = fresh_pi(folder)
    run(pi, GOALS[role], folder)
    runs_container(pi, "web")
    pi.fake_disk.make_all_durable()
    pi.fake_disk.effects = 0
    return pi


def tree(pi: FakePi) -> dict[str, tuple[str, int]]:
    ours = (f"{state.STATE}/{name}" for name in ("wishes-obeyed.json", "last-seen"))
    return pi.tree(ignoring=[*UNEQUAL, *ours])


def go(wanted: Disabled) -> Act:
    return lambda pi: reconcile_disabled(pi, wanted, QUIET)


def come_back(pi: FakePi) -> None:
    reconcile_enabled(pi, QUIET)


def boot_again(pi: FakePi) -> None:
    """What systemd does: `resume`, where something is pending."""
    power_on(pi)
    if pi.exists(state.PENDING):
        assert resume.run(argparse.Namespace(dry_run=False, addresses=False), pi) == 0


@each_role
def test_what_went_comes_back_as_it_was(role: str, tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", role)
    before = tree(pi)
    go(Disabled())(pi)
    assert disabled.is_stopped(pi)
    assert "kubelet.service" not in pi.running
    assert not running_containers(pi)
    after = tree(pi)
    go(Disabled())(pi)
    assert tree(pi) == after
    boot_again(pi)
    assert tree(pi) == after
    come_back(pi)
    assert tree(pi) == before
    assert "kubelet.service" in pi.running


@each_role
@pytest.mark.parametrize("until", UNTIL)
def test_the_power_sometimes_goes_while_it_goes(role: str, until: str, tmp_path: Path) -> None:
    """Every seventh effect here; each of them in `tests/run --long cuts`."""
    cut_on_the_way_out(role, until, tmp_path, step=7)


@pytest.mark.long("cuts")
@each_role
@pytest.mark.parametrize("until", UNTIL)
def test_the_power_goes_while_it_goes(role: str, until: str, tmp_path: Path) -> None:
    cut_on_the_way_out(role, until, tmp_path, step=1)


@each_role
def test_the_power_sometimes_goes_while_it_comes_back(role: str, tmp_path: Path) -> None:
    cut_on_the_way_back(role, tmp_path, step=7)


@pytest.mark.long("cuts")
@each_role
def test_the_power_goes_while_it_comes_back(role: str, tmp_path: Path) -> None:
    cut_on_the_way_back(role, tmp_path, step=1)


def cut_on_the_way_out(role: str, until: str, tmp_path: Path, step: int) -> None:
    wanted = UNTIL[until]
    pi = member(tmp_path / "whole", role)
    before = tree(pi)
    go(wanted)(pi)
    total, after = pi.fake_disk.effects, tree(pi)
    assert total > 10
    for effect in range(1, total + 1, step):
        folder = tmp_path / str(effect)
        pi = cut(member(folder, role), go(wanted), effect)
        if disabled.load(pi) is None:
            continue  # it was not noted yet: the same command is typed again
        boot_again(pi)
        assert tree(pi) == (before if wanted.until == "boot" else after), f"cut {effect}"
        shutil.rmtree(folder)


def cut_on_the_way_back(role: str, tmp_path: Path, step: int) -> None:
    def gone(folder: Path) -> FakePi:
        pi = member(folder, role)
        go(Disabled(whole=True))(pi)
        pi.fake_disk.make_all_durable()
        pi.fake_disk.effects = 0
        return pi

    pi = gone(tmp_path / "whole")
    come_back(pi)
    total, after = pi.fake_disk.effects, tree(pi)
    for effect in range(1, total + 1, step):
        folder = tmp_path / str(effect)
        pi = cut(gone(folder), come_back, effect)
        boot_again(pi)
        if disabled.is_disabled(pi):
            come_back(pi)
        assert tree(pi) | {disabled.RECORD: ("", 0)} == after | {disabled.RECORD: ("", 0)}
        assert disabled.load(pi) is None
        shutil.rmtree(folder)


def cut(pi: FakePi, act: Act, effect: int) -> FakePi:
    pi.die_at(effect)
    with pytest.raises(PowerCut):
        act(pi)
    pi.power_cut()
    return pi
