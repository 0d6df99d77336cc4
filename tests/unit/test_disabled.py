"""kubepi/decide/disabled.py and kubepi/machine/disabled.py: who waits for whom, what is kept."""

from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.disabled import Disabled, not_back, still_on
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer
from kubepi.machine import disabled, state
from tests.fakes import FakePi


def book(*nodes: tuple[str, str, str]) -> Book:
    """(name, role, state) of each; the address is 10.0.0.N."""
    return {
        name: Peer(Advert(node=name, node_id=name, role=role, state=word, address=f"10.0.0.{n}"),
                   True, 0.0)
        for n, (name, role, word) in enumerate(nodes, 1)
    }  # fmt: skip


CLUSTER = book(("m", "master", "disabling"), ("w", "worker", "disabled"), ("x", "worker", "ready"))


def test_masters_wait_for_workers_and_the_server_for_all() -> None:
    assert still_on(CLUSTER, 1.0, (), "worker") == ["x"]
    assert still_on(CLUSTER, 1.0, ()) == ["m", "x"]
    assert still_on(CLUSTER, 1.0, ("x",), "worker") == []


@pytest.mark.parametrize("word", ["serving", "disabled", "off"])
def test_a_node_without_pods_is_not_waited_for(word: str) -> None:
    """Who serves the share last must not wait for those that wait for it."""
    assert still_on(book(("w", "worker", word)), 1.0, ()) == []


def test_the_silent_and_the_strange_are_not_waited_for() -> None:
    assert still_on(CLUSTER, SILENT_AFTER + 1, ()) == []
    stranger = {"s": Peer(Advert(node="s", role="worker", state="ready"), False, 0.0)}
    assert still_on(stranger, 1.0, ()) == []


def test_a_worker_comes_back_after_a_master_and_the_server() -> None:
    assert not_back({}, 1.0, "") == "no master is heard"
    off = book(("m", "master", "disabled"), ("n", "worker", "disabled"))
    assert not_back(off, 1.0, "10.0.0.2") == "m is disabled"
    half = book(("m", "master", "ready"), ("n", "worker", "disabled"))
    assert not_back(half, 1.0, "10.0.0.2") == "n, which serves the share, is disabled"
    assert not_back(half, 1.0, "10.0.0.1") is None
    assert not_back(book(("m", "master", "ready"), ("n", "worker", "enabling")), 1.0, "10.0.0.2") \
        is None  # fmt: skip


# --- what is remembered -------------------------------------------------------------------------


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path, {state.GOAL: "{}"})


def test_it_is_read_as_it_was_written(pi: FakePi) -> None:
    wanted = Disabled("boot", whole=True, without=("a", "b"))
    disabled.begin(pi, wanted)
    assert disabled.load(pi) == wanted
    assert disabled.is_disabled(pi)
    assert not disabled.is_stopped(pi)
    disabled.mark_done(pi)
    assert disabled.is_stopped(pi)


@pytest.mark.parametrize(("until", "over"), [("boot", True), ("enable", False)])
def test_a_boot_ends_it_or_not(pi: FakePi, until: str, over: bool) -> None:
    wanted = Disabled(until)
    disabled.begin(pi, wanted)
    disabled.mark_done(pi)
    assert not disabled.is_over(pi, wanted)
    pi.power_cut()
    assert disabled.is_over(pi, wanted) is over
    assert pi.exists(state.PENDING) is over, "resume runs at that boot"


def test_a_call_back_in_the_middle_is_not_taken_for_the_end(pi: FakePi) -> None:
    disabled.begin(pi, Disabled())
    disabled.begin(pi, Disabled(returning=True))
    disabled.mark_done(pi)
    assert pi.exists(state.PENDING)
    assert not disabled.is_stopped(pi)


def test_a_cut_after_the_return_leaves_a_node_in_service(pi: FakePi) -> None:
    disabled.begin(pi, Disabled(returning=True))
    state.mark_reached(pi)
    assert disabled.load(pi) is None
