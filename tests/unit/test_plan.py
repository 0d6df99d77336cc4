"""kubepi/decide/plan: what is done to a Pi and in which order, against golden/plan-*.txt.

A golden file is a list of step names; one that is to change is changed by hand.
"""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import pytest

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Admin, Goal
from kubepi.decide.plan import make_plan, upgrade
from kubepi.decide.upgrade import Upgrade
from kubepi.machine.configfiles import OWN_FILE, load
from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost
from kubepi.machine.step import Step
from kubepi.steps.images import ImagesPulled
from tests.fakes import FakePi
from tests.scene import init_goal, join_goal, join_master_goal, reset_goal, up_goal

BOARDS = Path(__file__).parents[1] / "boards"
GOLDEN = Path(__file__).parent / "golden"
FILE = "/boot/firmware/kubepi.pyz"
TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
ONLINE: dict[str, object] = {"downloads__kit": "", "node__address": ""}
ADMIN = Admin("/home/ann", 1000, 1000)


def facts(board: str) -> Facts:
    return look(ReadOnlyHost(BOARDS / board / "root"))


def with_admin(goal: Goal) -> Goal:
    return dataclasses.replace(goal, admin=ADMIN)


CASES: dict[str, tuple[Goal, str]] = {
    "init-pc-kit": (init_goal(), "pc-debian"),
    "join-pc-kit": (join_goal(), "pc-debian"),
    "join-master-pc-kit": (join_master_goal(addons__install=["hello"]), "pc-debian"),
    "reset-master-pc-kit": (reset_goal(join_master_goal()), "pc-debian"),
    "reset-pc-kit": (reset_goal(init_goal()), "pc-debian"),
    "init-pi4-online": (with_admin(init_goal(**ONLINE, wifi__country="DE")), "pi4b-trixie"),
    "join-pi4-online": (join_goal(**ONLINE), "pi4b-trixie"),
    "up-pi4-online": (up_goal(**ONLINE), "pi4b-trixie"),
    "reset-pi4-online": (with_admin(reset_goal(init_goal(**ONLINE))), "pi4b-trixie"),
}


def plan(name: str) -> list[Step]:
    goal, board = CASES[name]
    return make_plan(goal, facts(board), FILE)


@pytest.mark.parametrize("name", CASES)
def test_the_steps_are_those_of_the_golden_file(name: str) -> None:
    names = [step.name for step in plan(name)]
    assert names == (GOLDEN / f"plan-{name}.txt").read_text().splitlines()


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem.removeprefix("plan-") for path in GOLDEN.glob("plan-*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_steps_are_frozen_comparable_and_named_once(name: str) -> None:
    steps = plan(name)
    for step in steps:
        assert dataclasses.is_dataclass(step)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(step, "anything", 1)  # noqa: B010 - mypy refuses it too
        assert repr(step).startswith(type(step).__name__)
    assert steps == plan(name)
    assert len({step.name for step in steps}) == len(steps)
    assert all(one != other for one, other in pairwise(steps))


@pytest.mark.parametrize("verb", ["init", "join", "reset"])
def test_no_secret_of_the_configuration_gets_into_a_plan_or_a_goal(
    verb: str, tmp_path: Path
) -> None:
    pi = FakePi(tmp_path, {OWN_FILE: f"cluster: {{token: {TOKEN}}}\n"})
    config = load(pi, {})
    assert config.token == TOKEN
    goal = Goal("init", config.settings)
    if verb != "init":
        goal = Goal("join", config.settings) if verb == "join" else reset_goal(goal)
    steps = make_plan(goal, facts("pi4b-trixie"), FILE)
    for text in (repr(steps), repr(goal), json.dumps(goal.to_json())):
        assert TOKEN not in text
        assert TOKEN.replace("-", "") not in text


@pytest.mark.parametrize("board", sorted(path.parent.name for path in BOARDS.glob("*/facts.json")))
@pytest.mark.parametrize("verb", ["init", "join", "reset"])
def test_every_board_has_a_plan(verb: str, board: str) -> None:
    goals = {"init": init_goal(**ONLINE), "join": join_goal(), "reset": reset_goal(join_goal())}
    names = [step.name for step in make_plan(goals[verb], facts(board), FILE)]
    assert len(set(names)) == len(names)


def before(names: list[str], first: str, second: str) -> bool:
    return names.index(first) < names.index(second)


@pytest.mark.parametrize("name", ["init-pi4-online", "join-pi4-online"])
def test_the_order_that_power_cuts_and_programs_force(name: str) -> None:
    names = [step.name for step in plan(name)]
    order = [
        # from here on a power cut is harmless
        "service kubepi-agent.service",
        # certificates and apt look at the clock
        "clock",
        "swap off",
        "reboot",
        "memory controller",
        "packages containerd iptables conntrack ethtool socat openssl",
        "package repository of Kubernetes",
        "Kubernetes version",
        "packages kubeadm kubelet kubectl kubernetes-cni",
        "file /etc/containerd/config.toml",
        "service containerd.service",
        "images from their registries",
        "name home.kubepi.internal",
        "control plane (kubeadm init)" if "init" in name else "membership (kubeadm join)",
        "this node Ready",
    ]
    assert [pair for pair in pairwise(order) if not before(names, *pair)] == []


def test_others_hear_of_a_master_only_when_it_works() -> None:
    names = [step.name for step in plan("init-pi4-online")]
    assert before(names, "coredns ready", "master announced")
    assert before(names, "this node Ready", "master announced")


def test_kubepi_itself_goes_last() -> None:
    for name in ("reset-pc-kit", "reset-pi4-online"):
        names = [step.name for step in plan(name)]
        assert names[0] == "out of the cluster"
        assert names[-1] == "kubepi itself gone"
        assert before(names, "no Kubernetes (kubeadm reset)", "packages as before")


@pytest.mark.parametrize(
    ("changes", "name", "is_there"),
    [
        ({"boot__gpu_mem": 16}, "/boot/firmware/config.txt gpu_mem=16", True),
        ({"boot__gpu_mem": 0}, "config.txt without kubepi's lines", True),
        ({"wifi__country": "DE"},
         "kernel command line cgroup_enable=memory cfg80211.ieee80211_regdom=DE", True),
        ({"preflight__ignore": ["memory-controller"]}, "memory controller", False),
        ({"preflight__ignore": ["memory"]}, "memory controller", True),
        ({"downloads__kit": "/srv/kit"}, "package repository of Kubernetes", False),
        ({"downloads__kit": "/srv/kit"}, "images from the kit", True),
        ({"node__name": "kitchen"}, "host name kitchen", True),
        ({"cluster__name": "attic"}, "name attic.kubepi.internal", True),
    ],
)  # fmt: skip
def test_settings_that_change_the_plan(
    changes: dict[str, object], name: str, is_there: bool
) -> None:
    goal = join_goal(**(ONLINE | changes))
    names = [step.name for step in make_plan(goal, facts("pi4b-trixie"), FILE)]
    assert (name in names) is is_there


def test_add_ons_come_last_and_what_is_not_wanted_goes_before() -> None:
    goal = init_goal(**ONLINE, addons__install=["local-path-provisioner", "hello"])
    goal = dataclasses.replace(goal, flagged=("no data of addon demo",))
    steps = make_plan(goal, facts("pi4b-trixie"), FILE, ["hello", "traefik", "demo"])
    assert [step.name for step in steps][-6:] == [
        "add-on traefik absent", "add-on demo absent",
        "add-on local-path-provisioner", "add-on hello",
        "add-on local-path-provisioner ready", "add-on hello ready",
    ]  # fmt: skip
    assert [getattr(step, "keeps_data", None) for step in steps[-6:-4]] == [True, False]
    pulled = next(step for step in steps if isinstance(step, ImagesPulled))
    assert pulled.addons == ("local-path-provisioner", "hello")
    joining = dataclasses.replace(goal, verb="join")
    names = [step.name for step in make_plan(joining, facts("pi4b-trixie"), FILE)]
    assert [name for name in names if "add-on" in name] == []


@pytest.mark.parametrize(("board", "is_there"), [("zero2w-trixie", True), ("pi4b-trixie", False)])
def test_only_a_node_on_the_radio_keeps_it_awake(board: str, is_there: bool) -> None:
    name = "Wi-Fi power save of wlan0 off"
    for allowed in (False, True):
        goal = join_goal(wifi__power_save=allowed)
        names = [step.name for step in make_plan(goal, facts(board), FILE)]
        assert (name in names) is (is_there and not allowed)


@pytest.mark.parametrize(
    ("goal", "is_worker"), [(join_goal(**ONLINE), True), (join_master_goal(**ONLINE), False)]
)
def test_an_upgrade_pulls_what_a_join_of_the_same_node_does(goal: Goal, is_worker: bool) -> None:
    joined = [s for s in make_plan(goal, facts("pi4b-trixie"), FILE) if isinstance(s, ImagesPulled)]
    newer = [s for s in upgrade.plan(goal, Upgrade("v1.36.3")) if isinstance(s, ImagesPulled)]
    assert newer == [dataclasses.replace(step, version="v1.36.3") for step in joined]
    assert [step.is_worker for step in newer] == [is_worker]
