"""kubepi/agent/rotating.py: two nodes change their token, one gets it from the other."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.rotating import THING, TRY_AGAIN, Rotating, offered, opens
from kubepi.decide import rotation
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.credentials import advert_key, new_token
from kubepi.decide.goal import Secret
from kubepi.decide.rotation import Tokens, waited_for
from kubepi.errors import KubepiError
from kubepi.log import Log
from kubepi.machine import state
from kubepi.machine.rotation import change, load, save
from tests.fakes import FakePi

OLD, NEW = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk", new_token(b"another, of which there are so many")
KNOWN = {"a": ("pi1", "10.0.0.1"), "b": ("pi2", "10.0.0.2"), "c": ("pi3", "10.0.0.3")}


class Node:
    """One that has the old token, knows the two others, and can be asked."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.pi, self.name = FakePi(folder), name
        self.pi.log = Log(folder / "log")
        state.save_secret(self.pi, Secret("token"), OLD)
        self.known = {other: about for other, about in KNOWN.items() if other != name}
        self.rotating = Rotating(self.pi, name)

    def says(self) -> bytes:
        tokens = load(self.pi)
        assert tokens is not None
        node, address = KNOWN[self.name]
        advert = Advert(node=node, node_id=self.name, address=address, token=tokens.word)
        return self.rotating.sign(advert) or b""

    def hears(self, *others: "Node") -> list[str]:
        return [self.rotating.judge(other.says(), self.known) for other in others]

    def fetches(self, *others: "Node") -> None:
        """And does with it what the agent does a tick later."""
        self.rotating.do(depots(*others))
        newer = self.rotating.newer()
        for one in newer:
            self.known |= one.waiting
        self.rotating.follow(newer, self.known)

    def token(self) -> str:
        return state.read_secret(self.pi, Secret("token")) or ""

    def rotate(self) -> None:
        change(self.pi, lambda tokens: rotation.begin(tokens, NEW, self.known))


@pytest.fixture
def nodes(tmp_path: Path) -> tuple[Node, Node, Node]:
    a, b, c = (Node(tmp_path / name, name) for name in KNOWN)
    return a, b, c


def depots(*nodes: Node) -> Callable[[str, str], str]:
    """What is served by each, to who asks with a token that opens it."""

    def fetch(address: str, token: str) -> str:
        for node in nodes:
            if KNOWN[node.name][1] == address and token in opens(node.pi, THING):
                return (offered(node.pi, node.known) or b"").decode()
        raise KubepiError(f"{address} does not answer", "")

    return fetch


def test_the_new_one_goes_round_and_the_old_one_is_given_up(
    nodes: tuple[Node, Node, Node],
) -> None:
    a, b, c = nodes
    assert a.hears(b, c) == ["", ""]
    a.rotate()
    assert b.hears(a) == [""]
    assert b.rotating.wanted()
    del b.known["c"]  # that one was off when b came
    b.fetches(a)
    assert b.known["c"] == KNOWN["c"]
    assert (a.token(), b.token(), c.token()) == (NEW, NEW, OLD)
    # c was off: the others believe it, and it believes them
    assert a.hears(b, c) == b.hears(a, c) == c.hears(a, b) == ["", ""]
    tokens = load(a.pi)
    assert tokens is not None
    assert waited_for(tokens, a.known) == ["pi3"]
    c.fetches(b)
    assert c.token() == NEW
    for node in nodes:
        node.hears(*(other for other in nodes if other is not node))
        assert load(node.pi) == Tokens(NEW, 2)
    assert opens(a.pi, THING) == (NEW,)


def test_who_is_not_known_yet_is_waited_for_all_the_same(nodes: tuple[Node, Node, Node]) -> None:
    """The names come to the disk by another way than the tokens, a moment later."""
    a, b, _ = nodes
    a.rotate()
    b.hears(a)
    b.fetches(a)
    del b.known["c"]
    assert b.hears(a) == [""]
    tokens = load(b.pi)
    assert tokens is not None
    assert (tokens.before, tokens.waiting) == (OLD, frozenset({"c"}))
    assert b.rotating.with_waited(b.known) == {"a": KNOWN["a"], "c": ("c", "")}


def test_who_is_forgotten_is_not_waited_for_and_not_believed(
    nodes: tuple[Node, Node, Node],
) -> None:
    a, b, c = nodes
    a.rotate()
    b.hears(a)
    b.fetches(a)
    a.hears(b)
    del a.known["c"]
    a.rotating.settle({"c"})
    assert load(a.pi) == Tokens(NEW, 2)
    assert a.hears(c) == ["not signed with our token"]


def test_the_old_token_opens_the_depot_for_the_new_one_alone(
    nodes: tuple[Node, Node, Node],
) -> None:
    a, *_ = nodes
    assert opens(a.pi, THING) == opens(a.pi, "backups") == (OLD,)
    a.rotate()
    assert opens(a.pi, THING) == (NEW, OLD)
    assert opens(a.pi, "backups") == (NEW,)


EMPTY = '{"token": "", "number": 9, "waiting": {}, "have": []}'


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"token": 1}', '{"waiting": 3}', EMPTY])
def test_what_is_no_offer_changes_nothing(answer: str, nodes: tuple[Node, Node, Node]) -> None:
    a, b, _ = nodes
    a.rotate()
    b.hears(a)
    b.rotating.do(lambda address, token: answer)
    assert b.rotating.newer() == []
    assert b.token() == OLD


def test_a_depot_that_does_not_answer_is_asked_again(nodes: tuple[Node, Node, Node]) -> None:
    a, b, _ = nodes
    a.rotate()
    b.hears(a)
    b.fetches()
    assert b.token() == OLD
    b.hears(a)
    assert not b.rotating.wanted()
    b.pi.clock.seconds += TRY_AGAIN
    assert b.rotating.wanted()
    b.fetches(a)
    assert b.token() == NEW


def test_who_says_no_address_is_not_asked(nodes: tuple[Node, Node, Node]) -> None:
    a, b, _ = nodes
    a.rotate()
    tokens = load(a.pi)
    assert tokens is not None
    nowhere = a.rotating.sign(Advert(node="pi1", node_id="a", token=tokens.word)) or b""
    assert b.rotating.judge(nowhere, b.known) == ""
    assert not b.rotating.wanted()


def test_what_is_not_followed_is_not_told_as_taken(
    nodes: tuple[Node, Node, Node], tmp_path: Path
) -> None:
    a, b, _ = nodes
    a.rotate()
    b.hears(a)
    b.rotating.do(depots(a))
    newer = b.rotating.newer()
    assert newer
    b.rotating.follow(newer, b.known)
    b.rotating.follow(newer, b.known)
    log = (tmp_path / "b" / "log").read_text()
    assert log.count("has the cluster's new token") == 1


def test_the_pause_begins_after_the_attempt(nodes: tuple[Node, Node, Node]) -> None:
    """Else one that takes long is followed by the next, and no other duty has its turn."""
    a, b, _ = nodes
    a.rotate()
    b.hears(a)

    def slow(address: str, token: str) -> str:
        b.pi.clock.seconds += 2 * TRY_AGAIN
        raise KubepiError("it does not answer", "")

    b.rotating.do(slow)
    b.hears(a)
    assert not b.rotating.wanted()


def test_a_node_without_a_token_believes_nobody(tmp_path: Path) -> None:
    rotating = Rotating(FakePi(tmp_path), "a")
    record = encode(Advert(node_id="b"), advert_key(OLD))
    assert rotating.judge(record, {}) == "no token here"
    assert rotating.sign(Advert(node_id="a")) is None
    assert offered(FakePi(tmp_path), {}) is None
    assert opens(FakePi(tmp_path), THING) == ()


def test_no_token_in_the_log_or_in_sight(nodes: tuple[Node, Node, Node], tmp_path: Path) -> None:
    a, b, _ = nodes
    a.rotate()
    b.hears(a)
    assert OLD not in repr(b.rotating)
    b.fetches(a)
    log = (tmp_path / "b" / "log").read_text()
    assert "has the cluster's new token from 10.0.0.1" in log
    assert OLD not in log
    assert NEW not in log


def test_the_offer_names_whom_the_giver_waits_for(nodes: tuple[Node, Node, Node]) -> None:
    a, *_ = nodes
    a.rotate()
    tokens = load(a.pi)
    assert tokens is not None
    save(a.pi, replace(tokens, waiting=frozenset({"c", "lost"})))
    data = json.loads(offered(a.pi, a.known) or b"")
    waiting = {"c": ["pi3", "10.0.0.3"], "lost": ["lost", ""]}
    assert data == {"token": NEW, "number": 2, "waiting": waiting, "have": ["b"]}
