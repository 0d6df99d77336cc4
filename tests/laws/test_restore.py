"""The laws of a restore as a whole: on a new board, the power cut at its effects, it ends the same.

Every thirty-seventh effect here; each of them in `tests/run --long cuts`.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubepi.decide.backup import file_name
from kubepi.decide.goal import Goal
from kubepi.decide.plan import make_plan
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS
from kubepi.machine.facts import look
from kubepi.machine.restoring import RESTORE, lay_out
from kubepi.machine.runner import run_plan
from kubepi.reconcile import decided
from kubepi.steps.backups import CLUSTER_ID, BackupMade
from tests.containerd_programs import holds
from tests.etcd_programs import install_etcd
from tests.fakes import FakePi, PowerCut, Recorder
from tests.kubernetes_programs import objects_of, put_objects
from tests.laws.test_plans import UNEQUAL
from tests.laws.test_plans import run as run_init
from tests.scene import fresh_pi, init_goal, power_on

ETCD = "registry.k8s.io/etcd:3.6.8-0"
NAME = file_name("home", 1_799_990_000)
# numbers that grow with the time that passed
LATER = (*UNEQUAL, state.SEQUENCE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The backup of a master that init made, with an object of a user."""
    folder = tmp_path_factory.mktemp("source") / "pi"
    pi = board(folder)
    run_init(pi, init_goal(node__name="pi7"), folder)
    put_objects(pi, {"ConfigMap/default/mine": {"metadata": {"name": "mine"}}})
    pi.put(CLUSTER_ID, "0123abcd")
    pi.put(state.NODE_ID, "aa" * 8)
    pi.put(state.SEQUENCE, "5000")
    pi.clock.seconds = 1_799_990_000
    BackupMade(NAME).apply(pi)
    yield pi.path(f"{BACKUPS}/{NAME}")


def board(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    install_etcd(pi)
    return pi


def laid_out(folder: Path, source: Path) -> FakePi:
    pi = board(folder)
    lay_out(pi, source)
    holds(pi, ETCD)
    pi.fake_disk.make_all_durable()
    return pi


GOAL = Goal("restore", init_goal(node__name="pi7").settings)


def run(pi: FakePi, goal: Goal, folder: Path) -> Recorder:
    """The restore, and then the master's own goal."""
    recorder = Recorder()
    while True:
        if not (state.load_goal(pi) == goal and state.goal_reached(pi)):
            state.save_goal(pi, goal)
        run_plan(make_plan(goal, look(pi), str(folder / "kubepi.pyz")), pi, recorder)
        if goal.verb != "restore":
            state.mark_reached(pi)
            return recorder
        goal = decided(goal, pi)


def test_a_new_board_becomes_the_master(source: Path, tmp_path: Path) -> None:
    pi = laid_out(tmp_path / "pi", source)
    run(pi, GOAL, tmp_path / "pi")
    saved = state.load_goal(pi)
    assert saved is not None and saved.verb == "init"
    assert state.goal_reached(pi)
    assert "ConfigMap/default/mine" in objects_of(pi)
    assert pi.read(state.NODE_ID) == "aa" * 8 + "\n"
    assert (pi.read("/etc/hostname") or "").strip() == "pi7"
    assert not pi.exists(RESTORE)
    before = pi.tree()
    assert run(pi, saved, tmp_path / "pi").changed() == []
    assert pi.tree() == before


def cut(source: Path, tmp_path: Path, step: int) -> None:
    whole = laid_out(tmp_path / "whole", source)
    whole.fake_disk.effects = 0
    run(whole, GOAL, tmp_path / "whole")
    wanted, total = whole.tree(ignoring=LATER), whole.fake_disk.effects
    assert total > 100
    for effect in range(1, total + 1, step):
        folder = tmp_path / str(effect)
        pi = laid_out(folder, source)
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            run(pi, GOAL, folder)
        where = pi.fake_disk.trail[-1].replace(str(pi.root), "")
        power_on(pi)
        saved = state.load_goal(pi)
        if saved is None or not state.goal_reached(pi):
            run(pi, saved or GOAL, folder)
        assert pi.tree(ignoring=LATER) == wanted, f"cut {effect}: {where}"
        assert "ConfigMap/default/mine" in objects_of(pi), f"cut {effect}: {where}"
        shutil.rmtree(folder)


def test_a_power_cut_at_some_effects(source: Path, tmp_path: Path) -> None:
    cut(source, tmp_path, step=37)


@pytest.mark.long("cuts")
def test_a_power_cut_at_every_effect(source: Path, tmp_path: Path) -> None:
    cut(source, tmp_path, step=1)

