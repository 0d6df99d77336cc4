"""kubepi/agent/copied.py: a copied card becomes a node of its own, a moved one goes on."""

import asyncio
from pathlib import Path

import pytest

from kubepi.agent.copied import find_own_place, judge
from kubepi.cluster.kubectl import KUBELET
from kubepi.commands.resume import _own_goal
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.credentials import advert_key
from kubepi.decide.peerbook import hear, is_heard
from kubepi.decide.plan import make_plan
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.steps.identity import IDENTITY, MACHINE_ID, UniqueIdentity
from kubepi.steps.install import RESUME
from kubepi.steps.kubeadm import KubeadmReset
from tests.fakes import FakePi
from tests.scene import fresh_pi, join_goal

OTHER = "10000000ffffffff"
OLD_ID = "0123456789abcdef0123456789abcdef\n"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A worker's card in another board."""
    pi = fresh_pi(tmp_path / "pi", "pi4b-trixie")
    pi.put(IDENTITY, f"{OTHER}\n")
    pi.put(KUBELET, "kubelet.conf")
    pi.put(MACHINE_ID, OLD_ID)
    pi.put(state.NODE_ID, "00000000000000bb\n")
    for unit in (RESUME, "kubelet.service"):
        pi.put(f"/usr/lib/systemd/system/{unit}", "")
    state.save_goal(pi, join_goal(node__name="pi-kitchen"))
    state.mark_reached(pi)
    return pi


def serial_of(pi: FakePi) -> str:
    found = look(pi).board.serial
    assert found is not None
    return found


def test_a_card_that_was_moved_goes_on_as_the_same_node(pi: FakePi) -> None:
    judge(pi, serial_of(pi), OTHER, is_heard=False)
    assert pi.read(IDENTITY) == f"{serial_of(pi)}\n"
    assert state.goal_reached(pi) and not pi.exists(state.COPIED)
    assert pi.read(MACHINE_ID) == OLD_ID
    assert pi.ran == []


def test_a_members_card_that_was_moved_keeps_what_it_is_in_a_run_too(pi: FakePi) -> None:
    UniqueIdentity(serial_of(pi)).apply(pi)
    assert pi.read(MACHINE_ID) == OLD_ID
    assert pi.read(state.NODE_ID) == "00000000000000bb\n"


def test_a_copy_becomes_a_node_of_its_own(pi: FakePi) -> None:
    pi.running.add("kubelet.service")
    judge(pi, serial_of(pi), OTHER, is_heard=True)
    verbs = [(argv[1], argv[-1]) for argv in pi.ran]
    assert verbs == [("start", RESUME), ("stop", "kubelet.service")]
    assert not state.goal_reached(pi)
    before = state.load_goal(pi)
    assert before is not None
    goal = _own_goal(before, pi)
    assert (goal.verb, goal.was) == ("up", "join")
    assert goal.settings["node.name"] == f"pi-{serial_of(pi)[-6:]}"
    assert KubeadmReset(leaves_etcd=True) in make_plan(goal, look(pi), "")
    state.save_goal(pi, goal)
    assert _own_goal(goal, pi) == goal, "after a power cut the same"
    UniqueIdentity(serial_of(pi)).apply(pi)
    assert pi.read(MACHINE_ID) != OLD_ID
    assert not pi.exists(state.NODE_ID) and not pi.exists(state.COPIED)
    assert _own_goal(goal, pi) == goal


@pytest.mark.parametrize("token", ["the card's", "a newer one"])
def test_its_node_is_heard_with_whatever_token(token: str) -> None:
    """The token may have been changed since the card was taken: two of one node are worse."""
    record = encode(Advert(node_id="bb"), advert_key(token))
    book = hear({}, record, advert_key("the card's"), "", 0.0)
    assert is_heard(book, "bb")
    assert not is_heard(book, "cc")


@pytest.mark.parametrize("what", ["its own card", "in no cluster"])
def test_nothing_is_asked_where_nothing_is_in_doubt(what: str, pi: FakePi) -> None:
    if what == "its own card":
        pi.put(IDENTITY, f"{serial_of(pi)}\n")
    else:
        pi.remove(KUBELET)
    before = pi.tree()
    asyncio.run(find_own_place(pi))
    assert pi.tree() == before
