"""kubepi/decide/hosts.py: the API's name and the peers' names in /etc/hosts."""

from dataclasses import replace

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.hosts import host_lines
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer

API = "home.kubepi.internal"
MASTER = Peer(Advert(node="pi1", node_id="aa", address="10.0.0.1", role="master"), True, 5.0)
WORKER = Peer(Advert(node="pi2", node_id="bb", address="10.0.0.2", role="worker"), True, 5.0)
STRANGER = Peer(Advert(node="pi8", node_id="cc", address="10.0.0.8", role="master"), False, 5.0)
NAMELESS = Peer(Advert(node_id="dd", address="10.0.0.4"), True, 5.0)
HOMELESS = Peer(Advert(node="pi6", node_id="ee"), True, 5.0)


def book(*peers: Peer) -> Book:
    return {peer.advert.node_id: peer for peer in peers}


def again(peer: Peer, address: str, node_id: str = "") -> Peer:
    """Heard later, from elsewhere, perhaps in a new life."""
    advert = replace(peer.advert, address=address, node_id=node_id or peer.advert.node_id)
    return replace(peer, heard=peer.heard + 4, advert=advert)


@pytest.mark.parametrize(
    ("is_master", "own", "heard", "lines"),
    [
        (True, "10.0.0.7", book(), (f"10.0.0.7 {API}",)),
        (True, "10.0.0.7", book(WORKER), (f"10.0.0.7 {API}", "10.0.0.2 pi2")),
        # another master with our token is the user's to sort out; ours stays
        (True, "10.0.0.7", book(MASTER), (f"10.0.0.7 {API}", "10.0.0.1 pi1")),
        (True, "", book(WORKER), ("10.0.0.2 pi2",)),
        (False, "10.0.0.7", book(), ()),
        (False, "10.0.0.7", book(WORKER), ("10.0.0.2 pi2",)),
        (False, "10.0.0.7", book(MASTER), (f"10.0.0.1 {API}", "10.0.0.1 pi1")),
        (False, "", book(WORKER, MASTER), (f"10.0.0.1 {API}", "10.0.0.1 pi1", "10.0.0.2 pi2")),
        (False, "10.0.0.7", book(STRANGER), ()),
        (False, "10.0.0.7", book(NAMELESS, HOMELESS), ()),
    ],
    ids=["master alone", "master", "two masters", "no address", "worker alone", "no master heard",
         "worker", "worker without address", "only a stranger", "incomplete adverts"],
)  # fmt: skip
def test_lines(is_master: bool, own: str, heard: Book, lines: tuple[str, ...]) -> None:
    assert host_lines(API, own, is_master, heard) == lines


def test_the_same_peers_give_the_same_lines_in_any_order() -> None:
    forward = host_lines(API, "", False, book(MASTER, WORKER))
    assert forward == host_lines(API, "", False, book(WORKER, MASTER))


def test_a_silent_master_keeps_its_place() -> None:
    """It is away or restarting; without the line its return would help nobody."""
    old = replace(MASTER, heard=-2 * SILENT_AFTER)
    assert f"10.0.0.1 {API}" in host_lines(API, "", False, book(old))


def test_the_newest_of_two_lives_of_a_board_counts() -> None:
    reflashed = again(WORKER, "10.0.0.99", node_id="ff")
    for heard in (book(WORKER, reflashed), book(reflashed, WORKER)):
        assert host_lines(API, "", False, heard) == ("10.0.0.99 pi2",)


def test_a_moved_master_moves_the_name() -> None:
    moved = again(MASTER, "10.0.0.77")
    assert host_lines(API, "", False, book(moved))[0] == f"10.0.0.77 {API}"


def test_who_was_known_before_the_boot_keeps_its_line_until_it_is_heard() -> None:
    known = {"bb": ("pi2", "10.0.0.98"), "cc": ("pi3", "10.0.0.3"), "dd": ("", "10.0.0.4")}
    assert host_lines(API, "", False, book(), known) == ("10.0.0.98 pi2", "10.0.0.3 pi3")
    lines = host_lines(API, "", False, book(WORKER), known)
    assert lines == ("10.0.0.2 pi2", "10.0.0.3 pi3")
