"""kubepi/decide/preflight.py: each check by its name, on facts of real boards; and its waivers."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.commands import init, resume
from kubepi.decide.facts import Facts, Interface
from kubepi.decide.goal import Goal
from kubepi.decide.plan.common import cgroups_waived
from kubepi.decide.preflight import CHECKS, MASTER_MB, WORKER_MB, problems
from kubepi.errors import KubepiError, PreflightFailed, StepFailed
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost
from kubepi.reconcile import Options, reconcile
from tests.scene import fresh_pi, init_goal, join_goal

BOARDS = Path(__file__).parents[1] / "boards"
BUILT = 1_795_219_200.0
YEAR = 365 * 86400.0
# the way the goal asks for the address of this node, which is that of the default route
HERE = {"node__address": ""}


def facts(board: str = "pi5-trixie") -> Facts:
    return look(ReadOnlyHost(BOARDS / board / "root"))


def names(facts: Facts, goal: Goal, now: float = BUILT) -> list[str]:
    return [problem.name for problem in problems(facts, goal, now, BUILT)]


@pytest.mark.parametrize("goal", [init_goal(**HERE), join_goal(**HERE)], ids=["init", "join"])
@pytest.mark.parametrize("board", ["pi5-trixie", "pi4b-bookworm", "cm4-trixie", "pc-debian"])
def test_a_healthy_board_has_no_problem(board: str, goal: Goal) -> None:
    assert names(facts(board), goal) == []


@pytest.mark.parametrize(
    ("board", "verb", "found"),
    [
        ("pi4b-32bit-userland", "join", ["userland"]),
        ("pi3bplus-trixie", "init", ["memory"]),
        ("pi3bplus-trixie", "join", []),
        ("zero2w-trixie", "join", ["memory"]),
    ],
)
def test_boards_that_are_not_for_everything(board: str, verb: str, found: list[str]) -> None:
    goal = init_goal(**HERE) if verb == "init" else join_goal(**HERE)
    assert names(facts(board), goal) == found


Change = Callable[[Facts], Facts]
LAN = Interface("eth0", "wired", None, ("10.0.0.7/24",))
INIT, JOIN = init_goal(**HERE), join_goal(**HERE)
CASES: list[tuple[str, Change, Goal, str]] = [
    ("userland", lambda f: replace(f, userland_bits=32, architecture="armhf"), JOIN, "32-bit"),
    ("board", lambda f: replace(f, board=replace(f.board, capable=False)), JOIN, "Raspberry Pi 5"),
    ("memory", lambda f: replace(f, memory_mb=MASTER_MB - 1), INIT, "1699 MB"),
    ("memory", lambda f: replace(f, memory_mb=WORKER_MB - 1), JOIN, "799 MB"),
    ("processors", lambda f: replace(f, cpus=1), INIT, "1 processor"),
    ("cgroups", lambda f: replace(f, cgroup_version=1), JOIN, "cgroup v1"),
    ("memory-controller",
     lambda f: replace(f, memory_controller=False, boot_folder=None), JOIN, "memory controller"),
    ("network", lambda f: replace(f, network=None), JOIN, "no network"),
    ("network", lambda f: replace(f, interfaces=(LAN,)), join_goal(node__address="10.0.0.8"),
     "node.address 10.0.0.8 is no address of this Pi (10.0.0.7)"),
    ("other-kubernetes", lambda f: replace(f, kubernetes=("kubelet", "k3s")), JOIN, "k3s is"),
]  # fmt: skip
FINE: list[tuple[str, Change, Goal]] = [
    ("memory", lambda f: replace(f, memory_mb=MASTER_MB), INIT),
    ("memory", lambda f: replace(f, memory_mb=WORKER_MB), JOIN),
    ("processors", lambda f: replace(f, cpus=2), INIT),
    ("processors", lambda f: replace(f, cpus=1), JOIN),
    # the plan turns it on and reboots
    ("memory-controller", lambda f: replace(f, memory_controller=False), JOIN),
    ("network", lambda f: replace(f, network=None, interfaces=(LAN,)),
     join_goal(node__address="10.0.0.7")),
    ("network", lambda f: replace(f, interfaces=(LAN,)), join_goal(node__address="10.0.0.7")),
    # what a run that was interrupted left
    ("other-kubernetes", lambda f: replace(f, kubernetes=("kubelet", "node")), INIT),
]


@pytest.mark.parametrize(
    ("name", "change", "goal", "words"), CASES, ids=[f"{c[0]}-{c[2].verb}" for c in CASES]
)
def test_each_check_by_its_name(name: str, change: Change, goal: Goal, words: str) -> None:
    (problem,) = problems(change(facts()), goal, BUILT, BUILT)
    assert problem.name == name
    assert words in problem.sentence
    assert problem.cure


@pytest.mark.parametrize(
    ("name", "change", "goal"), FINE, ids=[f"{c[0]}-{c[2].verb}" for c in FINE]
)
def test_just_enough_is_enough(name: str, change: Change, goal: Goal) -> None:
    assert name not in names(change(facts()), goal)


@pytest.mark.parametrize(("years", "found"), [(0, []), (-9.9, []), (-10.1, ["clock"]), (20, [])])
def test_a_clock_years_in_the_past(years: float, found: list[str]) -> None:
    assert names(facts(), INIT, BUILT + years * YEAR) == found


def test_every_check_is_in_the_table() -> None:
    assert {case[0] for case in CASES} | {"clock"} == set(CHECKS)


def test_all_problems_come_at_once_in_the_order_of_the_checks() -> None:
    broken = replace(facts(), userland_bits=32, memory_mb=1, cpus=1, cgroup_version=1)
    found = names(broken, INIT, 0.0)
    assert found == ["userland", "memory", "processors", "cgroups", "clock"]


# --- waivers ------------------------------------------------------------------------------


def reconciled(tmp_path: Path, options: Options, **changes: object) -> KubepiError:
    """How init ends on a PC with too little memory; from a checkout it cannot install itself."""
    pi = fresh_pi(tmp_path / "pi")
    pi.put("/proc/meminfo", "MemTotal: 900000 kB\n")
    pi.put("/sys/devices/system/cpu/online", "0-3\n")
    with pytest.raises(KubepiError) as caught:
        reconcile(init_goal(**changes), pi, options)
    if isinstance(caught.value, PreflightFailed):
        assert not pi.exists(state.GOAL)
        assert pi.ran == []
    return caught.value


def test_preflight_fails_with_names_and_cures_before_anything_is_saved(tmp_path: Path) -> None:
    error = reconciled(tmp_path, Options())
    assert isinstance(error, PreflightFailed)
    assert "\n  memory: 878 MB of memory, a master needs 1700 MB\n    cure: " in error.sentence
    assert "--ignore" in error.hint


@pytest.mark.parametrize(
    ("options", "changes"),
    [(Options(ignore=("memory",)), {}), (Options(), {"preflight__ignore": ["memory"]})],
    ids=["by flag", "by config"],
)
def test_a_waived_name_lets_it_go_on(
    tmp_path: Path, options: Options, changes: dict[str, object]
) -> None:
    error = reconciled(tmp_path, options, **changes)
    assert isinstance(error, StepFailed)
    assert "build_zipapp.py" in error.hint


def test_another_name_waives_nothing(tmp_path: Path) -> None:
    assert isinstance(reconciled(tmp_path, Options(ignore=("cgroups",))), PreflightFailed)


@pytest.mark.parametrize("name", ["cgroups", "memory-controller"])
def test_names_that_the_plan_asks_for_are_checks(name: str) -> None:
    assert name in CHECKS
    assert cgroups_waived(init_goal(preflight__ignore=[name]))
    assert not cgroups_waived(init_goal(preflight__ignore=["memory"]))


def test_a_waiver_holds_after_the_reboot_too(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.put("/proc/meminfo", "MemTotal: 900000 kB\n")
    pi.put("/sys/devices/system/cpu/online", "0-3\n")
    parser = argparse.ArgumentParser()
    init.add_arguments(parser)
    words = ["--ignore", "memory", "--address", "10.0.0.7"]
    with pytest.raises(StepFailed):
        init.run(parser.parse_args(words), pi)
    with pytest.raises(StepFailed):
        resume.run(argparse.Namespace(dry_run=False, addresses=False), pi)
