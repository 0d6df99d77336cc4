"""kubepi/agent/placing.py: when the master's agent looks at its taint, and what it does then."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.placing import LOOK_AGAIN, TRY_AGAIN, Placing
from kubepi.cluster.kubectl import ADMIN
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Book, Peer
from kubepi.decide.placing import MASTER
from kubepi.machine import state
from tests.fakes import Answer, FakePi
from tests.scene import init_goal

GOAL = init_goal()
WORKER = Advert(node="pi8", node_id="bb", role="worker", state="ready")
ALONE: Book = {}


def book(*adverts: Advert, trusted: bool = True) -> Book:
    return {advert.node_id: Peer(advert, trusted, 0.0) for advert in adverts}


class Master(FakePi):
    """An API with Nodes; `told` are the taints that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {ADMIN: "admin", "/etc/hostname": "pi7\n"})
        self.nodes = {"pi7": {MASTER: ""}}
        self.taints: list[dict[str, str]] = []
        self.told: list[str] = []
        self.is_up = True
        state.save_goal(self, GOAL)
        state.mark_reached(self)
        self.looks("kubectl", script=self._kubectl)
        self.placing = Placing(self)

    def _kubectl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if not self.is_up:
            return 1, "connection refused"
        if "taint" in argv:
            self.told.append(argv[-1])
            self.taints = [] if argv[-1].endswith("-") else [{"key": MASTER}]
            return 0, ""
        nodes = [
            {"kind": "Node", "metadata": {"name": name, "labels": labels},
             "spec": {"taints": self.taints if name == "pi7" else []}}
            for name, labels in self.nodes.items()
        ]  # fmt: skip
        return 0, json.dumps({"items": nodes})

    def tick(self, heard: Book) -> bool:
        """What the loop does; whether the API was asked."""
        wanted = self.placing.wanted(GOAL, heard)
        if wanted:
            self.placing.do(GOAL, heard)
        return wanted


@pytest.fixture
def pi(tmp_path: Path) -> Master:
    return Master(tmp_path)


def test_a_worker_comes_and_goes(pi: Master) -> None:
    assert pi.tick(ALONE)
    assert pi.told == []
    pi.nodes["pi8"] = {}
    assert pi.tick(book(WORKER))
    assert pi.told == [f"{MASTER}:NoSchedule"]
    del pi.nodes["pi8"]
    assert pi.tick(book(replace(WORKER, state="leaving")))
    assert pi.told[1:] == [f"{MASTER}:NoSchedule-"]


def test_while_nothing_happens_nobody_asks_the_api_but_now_and_then(pi: Master) -> None:
    assert pi.tick(book(WORKER))
    assert not pi.tick(book(WORKER))
    assert not pi.tick(book(WORKER, replace(WORKER, node_id="cc", role="master")))
    pi.clock.seconds += LOOK_AGAIN + 1
    assert pi.tick(book(WORKER))
    assert not pi.tick(book(WORKER))


def test_a_stranger_is_no_worker(pi: Master) -> None:
    pi.tick(ALONE)
    assert not pi.tick(book(WORKER, trusted=False))


def test_a_master_that_is_still_made_waits(pi: Master) -> None:
    pi.put(state.PENDING, "")
    assert not pi.placing.wanted(GOAL, book(WORKER))


def test_without_an_api_it_is_tried_again(pi: Master) -> None:
    pi.nodes["pi8"] = {}
    pi.is_up = False
    assert pi.tick(book(WORKER))
    pi.is_up = True
    assert not pi.tick(book(WORKER))
    pi.clock.seconds += TRY_AGAIN + 1
    assert pi.tick(book(WORKER))
    assert pi.told == [f"{MASTER}:NoSchedule"]
