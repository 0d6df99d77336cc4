"""kubepi/agent/following.py: the agent goes over to the share that the master's advert names."""

from dataclasses import replace
from pathlib import Path

from kubepi.agent.following import TRY_AGAIN, Following
from kubepi.decide.adverts import Advert
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book, Peer
from kubepi.decide.share import Own, Share
from kubepi.machine import state
from kubepi.machine.lock import locked
from kubepi.machine.state import followed_share
from tests.fakes import FakePi
from tests.scene import fresh_pi, join_goal, reset_goal
from tests.steps.test_share import hears

THERE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")
OWN = Own("pi7", "10.0.0.7")
GOAL = join_goal()


def book(share: str) -> Book:
    advert = Advert(
        cluster="home", node="pi1", node_id="aa", address="10.0.0.1", role="master",
        state="ready", ca_hash="sha256:" + "0" * 64, share=share,
    )  # fmt: skip
    return {"aa": Peer(advert, True, 1_800_000_000.0)}


def worker(folder: Path, goal: Goal = GOAL) -> FakePi:
    pi = fresh_pi(folder)
    state.save_goal(pi, goal)
    state.mark_reached(pi)
    return pi


def test_another_share_is_followed_once(tmp_path: Path) -> None:
    pi = worker(tmp_path / "pi")
    following = Following(pi)
    assert following.wanted(GOAL, book(str(THERE)), OWN)
    hears(pi, str(THERE))
    following.do(GOAL)
    assert followed_share(pi) == THERE
    pi.sleep(TRY_AGAIN)
    assert not following.wanted(GOAL, book(str(THERE)), OWN)
    assert following.wanted(GOAL, book(str(replace(THERE, address="10.0.0.9"))), OWN)
    assert following.wanted(GOAL, book(""), OWN)


def test_nothing_is_done_before_the_goal_is_reached_or_without_a_master(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    state.save_goal(pi, GOAL)
    heard = book(str(THERE))
    assert not Following(pi).wanted(GOAL, heard, OWN)
    state.mark_reached(pi)
    assert not Following(pi).wanted(GOAL, {}, OWN)
    assert not Following(pi).wanted(None, heard, OWN)
    assert not Following(pi).wanted(reset_goal(GOAL), heard, OWN)


def test_a_failure_is_tried_again_later(tmp_path: Path) -> None:
    pi = worker(tmp_path / "pi")
    following = Following(pi)
    hears(pi, str(THERE))
    pi.changes("apt-get", script=lambda pi, argv, stdin: (100, "no network"))
    following.do(GOAL)
    assert followed_share(pi) is None
    assert not following.wanted(GOAL, book(str(THERE)), OWN)
    pi.sleep(TRY_AGAIN)
    assert following.wanted(GOAL, book(str(THERE)), OWN)


def test_a_command_at_work_is_not_disturbed(tmp_path: Path) -> None:
    pi = worker(tmp_path / "pi")
    hears(pi, str(THERE))
    with locked(pi, "reset"):
        Following(pi).do(GOAL)
    assert followed_share(pi) is None
