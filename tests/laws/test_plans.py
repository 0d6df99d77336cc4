"""The laws of every plan: a second run changes nothing, and no power cut changes where it ends.

The power is cut at every single effect of init, join and reset; what a real cut loses is lost;
then the Pi boots, goes on, and must end in the same tree as an undisturbed run.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.decide.goal import Goal, Secret
from kubepi.decide.plan import make_plan
from kubepi.errors import KubepiError, RebootNeeded
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.records import installed_addons
from kubepi.machine.runner import preview, run_plan
from kubepi.reconcile import decided
from tests.fakedisk import PowerCut
from tests.fakes import FakePi, Recorder
from tests.scene import (
    NOT_OURS,
    fresh_pi,
    give_token,
    init_goal,
    join_goal,
    join_master_goal,
    power_on,
    reboot,
    reset_goal,
    up_goal,
)

# Numbers that only grow, and what is only read after the next cut.
UNEQUAL = (*NOT_OURS, "/var/lib/etcd/objects.json")


def save(pi: FakePi, goal: Goal) -> None:
    """As reconcile() does: the secret and the goal first."""
    if goal.verb in ("join", "up") and state.read_secret(pi, Secret("token")) is None:
        give_token(pi)
    if not (state.load_goal(pi) == goal and state.goal_reached(pi)):
        state.save_goal(pi, goal)


def run(pi: FakePi, goal: Goal, folder: Path) -> Recorder:
    """One command, from the saved goal over its reboots to the end."""
    recorder = Recorder()
    save(pi, goal)
    for _ in range(4):
        try:
            addons = installed_addons(pi)
            plan = make_plan(goal, look(pi), str(folder / "kubepi.pyz"), addons)
            run_plan(plan, pi, recorder)
        except RebootNeeded:
            reboot(pi)
        else:
            if goal.verb == "up":
                goal = decided(goal, pi)
                save(pi, goal)
                continue
            if goal.verb != "reset":
                state.mark_reached(pi)
            return recorder
    raise AssertionError("three reboots and no end")


def go_on(pi: FakePi, goal: Goal, folder: Path) -> None:
    """What happens at the next boot: resume; a goal that was not saved yet is typed again."""
    saved = state.load_goal(pi)
    if saved is None and goal.verb == "reset":
        finish_reset(pi)
        return
    if saved is not None and not state.goal_reached(pi):
        run(pi, saved, folder)
    if saved is None or (saved.verb != goal.verb and goal.verb != "up"):
        run(pi, goal, folder)


def finish_reset(pi: FakePi) -> None:
    """The unit that a reset leaves for the case of a cut in its very end."""
    for name in (
        "/var/lib/kubepi", "/usr/local/lib/kubepi", "/usr/local/bin/kubepi",
        "/etc/systemd/system/multi-user.target.wants/kubepi-resume.service",
        "/etc/systemd/system/kubepi-resume.service",
    ):  # fmt: skip
        pi.remove_tree(name) if pi.is_dir(name) else pi.remove(name)


GOALS: dict[str, Callable[[], Goal]] = {
    "init": init_goal, "join": join_goal, "join as master": join_master_goal
}  # fmt: skip
BOARDS = ("", "pi4b-trixie")  # a plain PC, and a Pi with all that Raspberry Pi OS brings
each_board = pytest.mark.parametrize("board", BOARDS)
each_goal = pytest.mark.parametrize("verb", GOALS)


@each_board
@each_goal
def test_a_second_run_changes_nothing(verb: str, board: str, tmp_path: Path) -> None:
    folder = tmp_path / "pi"
    pi, goal = fresh_pi(folder, board), GOALS[verb]()
    first = run(pi, goal, folder)
    assert first.changed()
    before, effects = pi.tree(), pi.fake_disk.effects
    assert run(pi, goal, folder).changed() == []
    assert pi.tree() == before
    assert pi.fake_disk.effects == effects


@each_board
@each_goal
def test_a_dry_run_never_asks_to_change(verb: str, board: str, tmp_path: Path) -> None:
    folder = tmp_path / "pi"
    pi, goal = fresh_pi(folder, board), GOALS[verb]()
    before = pi.tree()
    plan = make_plan(goal, look(pi), str(folder / "kubepi.pyz"))
    counts = preview(plan, pi.read_only(), Recorder())
    assert counts.changed > 10
    assert pi.tree() == before
    assert pi.ran == []


@each_board
@each_goal
def test_reset_gives_the_first_tree_back(verb: str, board: str, tmp_path: Path) -> None:
    folder = tmp_path / "pi"
    pi, goal = fresh_pi(folder, board), GOALS[verb]()
    before, interfaces = pi.tree(ignoring=NOT_OURS), pi.listdir("/sys/class/net")
    run(pi, goal, folder)
    assert pi.tree(ignoring=NOT_OURS) != before
    run(pi, reset_goal(goal), folder)
    assert pi.tree(ignoring=NOT_OURS) == before
    assert pi.listdir("/sys/class/net") == interfaces
    assert pi.read("/proc/rules") == "*nat\n-A MINE -j ACCEPT\nCOMMIT\n"


HELLO = init_goal(addons__install=["local-path-provisioner", "metrics-server", "hello"])
CUTS = {
    "init": (init_goal(), None, ""),
    "init on a Pi": (init_goal(), None, "pi4b-trixie"),
    "init with add-ons": (HELLO, None, ""),
    "join": (join_goal(), None, ""),
    "join as master": (join_master_goal(), None, ""),
    "up alone": (up_goal(cluster__expect=1), None, ""),
    "up beside a master": (up_goal(), None, ""),
    "reset of a master": (reset_goal(init_goal()), init_goal(), ""),
    "reset of one of two masters": (reset_goal(join_master_goal()), join_master_goal(), ""),
    "reset of a worker": (reset_goal(join_goal()), join_goal(), ""),
    "reset of a Pi": (reset_goal(join_goal()), join_goal(), "pi4b-trixie"),
}


@pytest.mark.parametrize("what", CUTS)
def test_a_power_cut_at_some_effects(what: str, tmp_path: Path) -> None:
    """Every forty-seventh here; each of them in `tests/run --long cuts`."""
    cut_at(what, tmp_path, step=47)


@pytest.mark.long("cuts")
@pytest.mark.parametrize("what", CUTS)
def test_a_power_cut_at_every_effect(what: str, tmp_path: Path) -> None:
    cut_at(what, tmp_path, step=1)


def cut_at(what: str, tmp_path: Path, step: int) -> None:
    goal, after, board = CUTS[what]
    total, wanted = undisturbed(tmp_path / "undisturbed", goal, after, board)
    assert total > 50
    for effect in range(1, total + 1, step):
        folder = tmp_path / str(effect)
        pi = prepared(folder, after, board)
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            run(pi, goal, folder)
        where = pi.fake_disk.trail[-1].replace(str(pi.root), "")
        power_on(pi)
        try:
            go_on(pi, goal, folder)
        except KubepiError as error:
            raise AssertionError(f"cut {effect} ({where}): {error.sentence}") from error
        assert pi.tree(ignoring=UNEQUAL) == wanted, f"cut {effect}: {where}"
        shutil.rmtree(folder)


def undisturbed(
    folder: Path, goal: Goal, after: Goal | None, board: str
) -> tuple[int, dict[str, tuple[str, int]]]:
    """How many effects it takes, and the tree it ends in."""
    pi = prepared(folder, after, board)
    pi.fake_disk.effects = 0
    run(pi, goal, folder)
    return pi.fake_disk.effects, pi.tree(ignoring=UNEQUAL)


def test_an_add_on_that_is_no_longer_wanted_goes_after_a_power_cut(tmp_path: Path) -> None:
    """Every fifth effect here; each of them in `tests/run --long cuts`."""
    cut_a_removal(tmp_path, step=5)


@pytest.mark.long("cuts")
def test_an_add_on_that_is_no_longer_wanted_goes_whenever_the_power_does(tmp_path: Path) -> None:
    cut_a_removal(tmp_path, step=1)


def cut_a_removal(tmp_path: Path, step: int) -> None:
    """What is left of a removal that was cut off is what the next run finds."""
    wanted = init_goal(addons__install=["local-path-provisioner"])
    total, tree = undisturbed(tmp_path / "undisturbed", wanted, HELLO, "")
    assert 5 < total < 60
    for effect in range(1, total + 1, step):
        folder = tmp_path / str(effect)
        pi = prepared(folder, HELLO, "")
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            run(pi, wanted, folder)
        power_on(pi)
        run(pi, wanted, folder)
        assert pi.tree(ignoring=UNEQUAL) == tree
        objects = json.loads(pi.read("/var/lib/etcd/objects.json") or "{}")
        left = [key for key, item in objects.items() if "hello" in str(item)]
        assert sorted(left) == ["Namespace//hello", "PersistentVolumeClaim/hello/counter"]
        shutil.rmtree(folder)


def prepared(folder: Path, after: Goal | None, board: str) -> FakePi:
    pi = fresh_pi(folder, board)
    if after is not None:
        run(pi, after, folder)
    return pi


def test_a_cut_in_the_cut_is_no_different(tmp_path: Path) -> None:
    """Power that comes and goes: each resume is cut again, a little later than the one before."""
    goal = init_goal()
    _, wanted = undisturbed(tmp_path / "undisturbed", goal, None, "")
    pi = prepared(tmp_path / "again", None, "")
    cuts = 0
    for round_ in range(200):
        pi.die_at(7 * (round_ + 1))
        try:
            go_on(pi, goal, tmp_path / "again")
            break
        except PowerCut:
            cuts += 1
            power_on(pi)
    pi.fake_disk.die_at = None
    assert cuts > 3
    assert pi.tree(ignoring=UNEQUAL) == wanted
