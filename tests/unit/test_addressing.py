"""kubepi/agent/addressing.py: when the agent has all follow another address."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.agent.addressing import FOLLOW, TRY_AGAIN, Addressing, follow
from kubepi.decide.hosts import HOSTS
from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.lock import locked
from tests.address_programs import API_NAME, OLD, moved_master
from tests.certs import ENDS
from tests.fakes import Answer, FakePi
from tests.kubeadm_certs import OWN
from tests.scene import init_goal, join_goal, reset_goal

GOAL = init_goal()


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = moved_master(tmp_path / "pi")
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    pi.put(HOSTS, f"127.0.0.1 localhost\n{OWN} {API_NAME}\n")
    pi.changes(*FOLLOW, script=_follow)
    return pi


def _follow(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    """What that process does."""
    try:
        follow(pi, GOAL)
    except KubepiError as error:
        return error.exit_code, error.sentence
    return 0, ""


def test_all_follows_once(pi: FakePi) -> None:
    addressing = Addressing(pi)
    assert addressing.wanted(GOAL, OWN)
    addressing.do(GOAL, OWN)
    assert pi.read(state.ADDRESSES) == f"{OWN} {OWN}\n"
    pi.sleep(TRY_AGAIN)
    assert not addressing.wanted(GOAL, OWN)
    pi.put(HOSTS, f"10.0.0.9 {API_NAME}\n")
    assert addressing.wanted(GOAL, OWN)


def test_without_an_address_a_goal_or_a_name_nothing_is_done(pi: FakePi) -> None:
    addressing = Addressing(pi)
    assert not addressing.wanted(GOAL, "")
    assert not addressing.wanted(None, OWN)
    assert not addressing.wanted(reset_goal(GOAL), OWN)
    pi.put(state.PENDING, "")
    assert not addressing.wanted(GOAL, OWN)
    state.mark_reached(pi)
    pi.put(HOSTS, "127.0.0.1 localhost\n")
    assert not addressing.wanted(GOAL, OWN)


def test_what_has_ended_is_renewed_first(pi: FakePi) -> None:
    """Nothing would come up meanwhile, and the lock would be in the way of who renews."""
    pi.clock.seconds = ENDS
    assert not Addressing(pi).wanted(GOAL, OWN)
    pi.clock.seconds = ENDS - 60
    assert Addressing(pi).wanted(GOAL, OWN)


def test_a_failure_is_tried_again_later(pi: FakePi) -> None:
    addressing = Addressing(pi)
    pi.changes("kubeadm", "init", "phase", "certs", script=lambda pi, argv, stdin: (1, "no room"))
    addressing.do(GOAL, OWN)
    assert not addressing.wanted(GOAL, OWN)
    pi.sleep(TRY_AGAIN)
    assert addressing.wanted(GOAL, OWN)


def test_the_way_back_to_the_old_address_is_gone_as_a_whole(pi: FakePi) -> None:
    """A lease that comes back while the new one was followed: half of it names the new one."""
    addressing = Addressing(pi)
    pi.changes("kubeadm", "init", "phase", "certs", script=lambda pi, argv, stdin: (1, "no room"))
    addressing.do(GOAL, OWN)
    pi.sleep(TRY_AGAIN)
    pi.put(HOSTS, f"{OLD} {API_NAME}\n")
    assert addressing.wanted(GOAL, OLD)


def test_a_command_at_work_is_not_disturbed(pi: FakePi) -> None:
    with locked(pi, "reset"):
        Addressing(pi).do(GOAL, OWN)
    assert pi.read(state.ADDRESSES) == f"{OLD} {OLD}\n"


def test_the_first_addresses_are_those_it_was_made_with(pi: FakePi) -> None:
    addressing = Addressing(pi)
    pi.remove(state.ADDRESSES)
    assert addressing.wanted(GOAL, OWN)
    addressing.do(GOAL, OWN)
    assert pi.read(state.ADDRESSES) == f"{OLD} {OLD}\n"
    assert addressing.wanted(GOAL, OWN)
    worker = join_goal()
    pi.remove(state.ADDRESSES)
    pi.remove("/etc/kubernetes/manifests/kube-apiserver.yaml")
    pi.put(HOSTS, f"10.0.0.1 {API_NAME}\n")
    addressing.do(worker, OWN)
    assert pi.read(state.ADDRESSES) == f"{OWN} 10.0.0.1\n"
