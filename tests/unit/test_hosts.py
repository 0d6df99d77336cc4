"""kubepi/decide/hosts.py: the API's name and the peers' names in /etc/hosts."""

from dataclasses import replace

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.hosts import address_of, api_address, host_lines, other_apis
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


OTHER = replace(MASTER, advert=replace(MASTER.advert, node="pi3", node_id="ff", address="10.0.0.3"))
OWN, FIRST, SECOND = "10.0.0.7", "10.0.0.1", "10.0.0.3"


def lines_of(own: str, heard: Book) -> tuple[str, ...]:
    """As the agent has it on a node with the address `own` of a master, "" on a worker."""
    return host_lines(API, api_address(own, other_apis(heard), (), ""), heard)


@pytest.mark.parametrize(
    ("own", "heard", "lines"),
    [
        (OWN, book(), (f"{OWN} {API}",)),
        (OWN, book(WORKER), (f"{OWN} {API}", "10.0.0.2 pi2")),
        (OWN, book(MASTER), (f"{OWN} {API}", "10.0.0.1 pi1")),
        ("", book(), ()),
        ("", book(WORKER), ("10.0.0.2 pi2",)),
        ("", book(MASTER), (f"10.0.0.1 {API}", "10.0.0.1 pi1")),
        ("", book(WORKER, MASTER), (f"10.0.0.1 {API}", "10.0.0.1 pi1", "10.0.0.2 pi2")),
        ("", book(STRANGER), ()),
        ("", book(NAMELESS, HOMELESS), ()),
    ],
    ids=["master alone", "master", "two masters", "worker alone", "no master heard",
         "worker", "worker beside a worker", "only a stranger", "incomplete adverts"],
)  # fmt: skip
def test_lines(own: str, heard: Book, lines: tuple[str, ...]) -> None:
    assert lines_of(own, heard) == lines


@pytest.mark.parametrize(
    ("own", "ready", "now", "chosen"),
    [
        (OWN, (OWN, FIRST, SECOND), FIRST, OWN),
        (OWN, (FIRST, SECOND), FIRST, FIRST),
        (OWN, (FIRST, SECOND), OWN, FIRST),
        (OWN, (SECOND,), FIRST, SECOND),
        (OWN, (), FIRST, FIRST),
        (OWN, (), "", OWN),
        ("", (FIRST, SECOND), SECOND, SECOND),
        ("", (FIRST,), SECOND, FIRST),
        ("", (), SECOND, SECOND),
        ("", (FIRST, SECOND), "10.0.0.99", FIRST),
        ("", (), "", FIRST),
    ],
    ids=["its own", "its own is dead", "leaves its own", "the living of two", "all are dead",
         "nobody was asked yet", "stays", "leaves the dead", "none lives", "its master has gone",
         "a worker asked nobody yet"],
)  # fmt: skip
def test_the_name_leads_to_a_master_that_lives(
    own: str, ready: tuple[str, ...], now: str, chosen: str
) -> None:
    assert api_address(own, [FIRST, SECOND], ready, now) == chosen


def test_the_only_master_is_asked_nothing() -> None:
    assert api_address("", [FIRST], (), SECOND) == FIRST
    assert api_address(OWN, [], (), SECOND) == OWN


def begun(peer: Peer, ca: str = "sha256:1") -> Peer:
    return replace(peer, advert=replace(peer.advert, endpoint=f"{API}:6443", ca_hash=ca))


def test_a_master_that_begins_counts_only_where_there_is_no_other() -> None:
    assert other_apis(book(MASTER, OTHER)) == [FIRST, SECOND]
    assert other_apis(book(MASTER, begun(OTHER))) == [SECOND]


def test_a_member_follows_no_master_with_another_ca() -> None:
    heard = book(begun(MASTER), begun(OTHER, "sha256:2"))
    assert other_apis(heard, "sha256:1") == [FIRST]
    assert set(other_apis(heard)) == {FIRST, SECOND}


def test_what_the_file_says_of_the_name() -> None:
    assert address_of(API, f"127.0.0.1 localhost\n{OWN}\tx {API} # now\n") == OWN
    assert address_of(API, f"# {OWN} {API}\n{OWN} {API}x\n") == ""


def test_the_same_peers_give_the_same_lines_in_any_order() -> None:
    assert lines_of("", book(MASTER, WORKER)) == lines_of("", book(WORKER, MASTER))


def test_a_silent_master_keeps_its_place() -> None:
    """It is away or restarting; without the line its return would help nobody."""
    old = replace(MASTER, heard=-2 * SILENT_AFTER)
    assert f"10.0.0.1 {API}" in lines_of("", book(old))


def test_the_newest_of_two_lives_of_a_board_counts() -> None:
    reflashed = again(WORKER, "10.0.0.99", node_id="ff")
    for heard in (book(WORKER, reflashed), book(reflashed, WORKER)):
        assert lines_of("", heard) == ("10.0.0.99 pi2",)


def test_a_moved_master_moves_the_name() -> None:
    moved = again(MASTER, "10.0.0.77")
    assert lines_of("", book(moved))[0] == f"10.0.0.77 {API}"


def test_who_was_known_before_the_boot_keeps_its_line_until_it_is_heard() -> None:
    known = {"bb": ("pi2", "10.0.0.98"), "cc": ("pi3", "10.0.0.3"), "dd": ("", "10.0.0.4")}
    assert host_lines(API, "", book(), known) == ("10.0.0.98 pi2", "10.0.0.3 pi3")
    lines = host_lines(API, "", book(WORKER), known)
    assert lines == ("10.0.0.2 pi2", "10.0.0.3 pi3")
