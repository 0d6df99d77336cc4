"""kubepi/agent/returning.py: a board with a fresh card gets rid of its stale Node, keeps labels."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.agent.returning import LABELS, TO_BE_HEARD, Known, Returning, users_labels
from kubepi.cluster.kubectl import ADMIN
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Book, Peer
from kubepi.errors import NotYet
from tests.fakes import Answer, FakePi

OURS = {"kubernetes.io/arch": "arm64", "node.kubernetes.io/instance-type": "x"}
THEIRS = {"disk": "ssd", "example.com/room": "attic", "node-role.kubernetes.io/worker": ""}
KNOWN: Known = {"old": ("pi2", "10.0.0.8"), "other": ("pi3", "10.0.0.9")}


def node(uid: str, ready: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


class Master(FakePi):
    """Its API has Nodes by name, and may not answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {ADMIN: "admin"})
        self.nodes = {"pi2": node("1", "Unknown", **OURS, **THEIRS)}
        self.told: list[list[str]] = []
        self.answers = True
        self.looks("kubectl", script=self._kubectl)

    def _kubectl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        words = [word for word in argv[6:] if not word.startswith("-")]
        if not self.answers:
            return 1, "connection refused"
        if words[0] == "get":
            found = self.nodes.get(words[2])
            return (1, "Error: NotFound") if found is None else (0, json.dumps(found))
        self.told.append(words)
        if words[0] == "delete":
            self.nodes.pop(words[2], None)
        return 0, ""


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def waited(master: Master, known: Known = KNOWN) -> Returning:
    """It has heard the joiner for long enough."""
    duty = Returning(master)
    duty.wanted(joining(), known)
    master.clock.seconds += TO_BE_HEARD + 1
    return duty


def joining(node_id: str = "new", state: str = "joining") -> Book:
    return {node_id: Peer(Advert(node="pi2", node_id=node_id, state=state), True, float("inf"))}


def test_only_what_a_user_gave_counts_as_a_label() -> None:
    assert users_labels(OURS | THEIRS | {"node-role.kubernetes.io/control-plane": ""}) == THEIRS


def test_the_stale_node_goes_and_its_labels_come_back(master: Master) -> None:
    assert not Returning(master).wanted(joining(), KNOWN), "the one from before may speak yet"
    duty = waited(master)
    assert duty.wanted(joining(), KNOWN)
    duty.do(joining(), KNOWN)
    assert master.told == [["delete", "node", "pi2"]]
    assert duty.forgotten == {"old"}
    master.nodes["pi2"] = node("2", "False")
    master.clock.seconds += 60
    again = Returning(master)
    assert again.wanted({}, {})
    again.do({}, {})
    words = [f"{name}={value}" for name, value in THEIRS.items()]
    assert master.told[1:] == [["label", "node", "pi2", *words]]
    assert master.listdir(LABELS) == []


def test_the_new_node_is_never_taken_for_the_stale_one(master: Master) -> None:
    """Also when the agent was restarted before it had forgotten the earlier card."""
    waited(master).do(joining(), KNOWN)
    master.nodes["pi2"] = node("2", "False")
    waited(master).do(joining(), KNOWN)
    assert [words[0] for words in master.told] == ["delete", "label"]


@pytest.mark.parametrize(
    ("book", "known"),
    [
        (joining("old"), KNOWN),
        (joining(state="ready"), KNOWN),
        (joining(), {}),
        ({**joining(), **joining("old", "ready")}, KNOWN),
        ({}, KNOWN),
    ],
    ids=["same card", "a member", "never seen", "both are there", "nobody"],
)
def test_nothing_is_done_otherwise(book: Book, known: Known, master: Master) -> None:
    duty = waited(master)
    assert not duty.wanted(book, known)
    duty.do(book, known)
    assert master.told == []


def test_a_node_that_is_ready_stays(master: Master) -> None:
    master.nodes["pi2"] = node("1", "True")
    waited(master).do(joining(), KNOWN)
    assert master.told == []


def test_without_an_api_it_is_tried_again(master: Master) -> None:
    duty = waited(master)
    master.answers = False
    with pytest.raises(NotYet):
        duty.do(joining(), KNOWN)
    assert duty.forgotten == set()
    assert duty.wanted(joining(), KNOWN)
