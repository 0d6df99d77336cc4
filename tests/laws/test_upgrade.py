"""The laws of an upgrade's plan: a second run changes nothing, and no power cut changes its end."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.decide.goal import Goal
from kubepi.decide.plan import upgrade
from kubepi.decide.upgrade import Upgrade
from kubepi.errors import KubepiError
from kubepi.machine import upgrading
from kubepi.machine.runner import preview, run_plan
from tests.fakes import FakePi, PowerCut, Recorder
from tests.scene import NOT_OURS, init_goal, join_goal, power_on
from tests.upgrade_scene import NEW, old_node, old_worker

Tree = dict[str, tuple[str, int]]
GOALS: dict[str, tuple[Callable[[Path], FakePi], Goal]] = {
    "master": (old_node, init_goal()),
    "worker": (old_worker, join_goal()),
}
each_role = pytest.mark.parametrize("role", GOALS)


def run(pi: FakePi, goal: Goal) -> Recorder:
    recorder = Recorder()
    upgrading.begin(pi, Upgrade(NEW))
    run_plan(upgrade.plan(goal, Upgrade(NEW)), pi, recorder)
    return recorder


def tree(pi: FakePi) -> Tree:
    """The copies that kubeadm keeps are named by the time."""
    return pi.tree(ignoring=(*NOT_OURS, "/etc/kubernetes/tmp", "/var/lib/etcd/objects.json"))


@each_role
def test_a_second_run_changes_nothing(role: str, tmp_path: Path) -> None:
    make, goal = GOALS[role]
    pi = make(tmp_path / "pi")
    assert len(run(pi, goal).changed()) >= 5
    before, effects = pi.tree(), pi.fake_disk.effects
    assert run(pi, goal).changed() == []
    assert (pi.tree(), pi.fake_disk.effects) == (before, effects)


@each_role
def test_a_dry_run_never_asks_to_change(role: str, tmp_path: Path) -> None:
    make, goal = GOALS[role]
    pi = make(tmp_path / "pi")
    before = pi.tree()
    counts = preview(upgrade.plan(goal, Upgrade(NEW)), pi.read_only(), Recorder())
    assert counts.changed >= 5
    assert (pi.tree(), pi.ran) == (before, [])


@each_role
def test_a_power_cut_at_some_effects(role: str, tmp_path: Path) -> None:
    cut_at(role, tmp_path, step=7)


@pytest.mark.long("cuts")
@each_role
def test_a_power_cut_at_every_effect(role: str, tmp_path: Path) -> None:
    cut_at(role, tmp_path, step=1)


def cut_at(role: str, tmp_path: Path, step: int) -> None:
    make, goal = GOALS[role]
    whole = make(tmp_path / "whole")
    whole.fake_disk.effects = 0
    run(whole, goal)
    total, wanted = whole.fake_disk.effects, tree(whole)
    assert total > 20
    for effect in range(1, total + 1, step):
        pi = make(tmp_path / str(effect))
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            run(pi, goal)
        where = pi.fake_disk.trail[-1].replace(str(pi.root), "")
        power_on(pi)
        try:
            run(pi, goal)
        except KubepiError as error:
            raise AssertionError(f"cut {effect} ({where}): {error.sentence}") from error
        assert tree(pi) == wanted, f"cut {effect}: {where}"
        shutil.rmtree(tmp_path / str(effect))
