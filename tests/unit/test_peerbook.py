"""kubepi/decide/peerbook.py: whom a node believes, and whom it joins."""

from dataclasses import replace

import pytest

from kubepi.decide.adverts import Advert, encode
from kubepi.decide.peerbook import (
    MOST_STRANGERS,
    SILENT_AFTER,
    Book,
    Peer,
    earlier_cards,
    find_master,
    forget_strangers,
    hear,
    masters,
)
from kubepi.decide.votes import Vote, write_vote

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NOW = 1000.0
MASTER = Advert(
    node="pi1", node_id="aa", address="10.0.0.1", cluster="home", role="master", state="ready",
    sequence=7,
)  # fmt: skip
WORKER = replace(MASTER, node="pi2", node_id="bb", address="10.0.0.2", role="worker")
SECOND = replace(MASTER, node="pi9", node_id="cc", address="10.0.0.9")
NEIGHBOUR = replace(MASTER, node="pi5", node_id="dd", address="10.0.0.5", cluster="attic")
STARTING = replace(MASTER, state="starting", progress="40 % images")


def ours(advert: Advert, heard: float = NOW) -> Peer:
    return Peer(advert, True, heard)


def strange(advert: Advert) -> Peer:
    return Peer(advert, False, NOW, "not signed with our token")


LONG_AGO = NOW - SILENT_AFTER - 1


def test_a_boards_earlier_card_is_told_by_its_name() -> None:
    known = {"old": ("pi2", "10.0.0.2"), "else": ("pi3", "10.0.0.3")}
    back = {"bb": ours(WORKER)}
    assert earlier_cards(back, known, None, NOW) == {"old"}
    assert earlier_cards({}, known, WORKER, NOW) == {"old"}, "of this very board"
    both = {**back, "old": ours(replace(WORKER, node_id="old"))}
    assert earlier_cards(both, known, None, NOW) == set(), "a duplicate: both are there"
    joining = replace(WORKER, state="joining")
    assert earlier_cards({}, known, joining, NOW) == set()
    for peer in (ours(WORKER, LONG_AGO), ours(joining), strange(WORKER)):
        assert earlier_cards({"bb": peer}, known, None, NOW) == set()


@pytest.mark.parametrize(
    ("peers", "words", "final"),
    [
        ([], ["no master", "heard no node at all"], False),
        ([ours(WORKER)], ["no master", "heard with our token, but no master: pi2"], False),
        ([ours(STARTING)], ["pi1 (10.0.0.1) is not ready yet: 40 % images"], False),
        ([ours(replace(STARTING, progress=""))], ["is not ready yet: starting"], False),
        ([ours(replace(STARTING, state="upgrading"))], ["is being upgraded: 40 % images"], False),
        ([ours(MASTER), ours(SECOND)], ["two masters", "pi1 (10.0.0.1) and pi9 (10.0.0.9)"], True),
        ([strange(NEIGHBOUR)], ["not that of any master", "pi5 (10.0.0.5)", "'attic'"], False),
        ([strange(WORKER)], ["no master", "heard no node at all"], False),
        ([strange(NEIGHBOUR), ours(WORKER)], ["not that of any master", "pi5"], False),
    ],
    ids=["none heard", "only nodes", "not ready", "not ready, no progress", "upgrading", "two",
         "only strangers", "a strange worker", "a stranger beside our worker"],
)  # fmt: skip
def test_why_there_is_no_master_to_join(peers: list[Peer], words: list[str], final: bool) -> None:
    found = find_master(peers, NOW)
    assert found.master is None
    assert [word for word in words if word not in found.sentence] == []
    assert found.hint
    assert found.final is final


@pytest.mark.parametrize(
    "others",
    [[], [ours(WORKER)], [strange(NEIGHBOUR)], [ours(SECOND, LONG_AGO)]],
    ids=["alone", "with a worker", "with a stranger", "with one that fell silent"],
)
def test_the_one_ready_master_is_found(others: list[Peer]) -> None:
    found = find_master([*others, ours(MASTER)], NOW)
    assert found.master is not None
    assert found.master.advert == MASTER
    assert found.sentence == ""


HASH = "sha256:" + "a" * 64
FIRST = replace(MASTER, ca_hash=HASH, vote=write_vote(Vote(master="aa")))
FURTHER = replace(SECOND, ca_hash=HASH, vote=write_vote(Vote(master="aa")))


@pytest.mark.parametrize(
    ("peers", "chosen"),
    [
        ([ours(FURTHER), ours(FIRST)], "pi1"),
        ([ours(FURTHER), ours(replace(FIRST, node="pi99"))], "pi99"),
        ([ours(FURTHER), ours(FIRST, LONG_AGO)], "pi9"),
        ([ours(FURTHER), ours(replace(FIRST, state="disabled"))], "pi9"),
        ([ours(FIRST), ours(replace(FURTHER, state="joining", ca_hash=""))], "pi1"),
    ],
    ids=["the first", "whatever it is called", "it is silent", "it is not ready",
         "one joins as a master"],
)  # fmt: skip
def test_masters_with_the_same_ca_are_one_cluster(peers: list[Peer], chosen: str) -> None:
    found = find_master(peers, NOW)
    assert found.master is not None
    assert found.master.advert.node == chosen


@pytest.mark.parametrize("ca", ["sha256:" + "b" * 64, ""])
def test_two_with_different_cas_are_never_merged(ca: str) -> None:
    found = find_master([ours(FIRST), ours(replace(FURTHER, ca_hash=ca))], NOW)
    assert found.master is None
    assert "kubepi never merges two clusters" in found.sentence


def test_a_silent_master_is_not_joined() -> None:
    assert find_master([ours(MASTER, NOW - SILENT_AFTER)], NOW).master is not None
    assert find_master([ours(MASTER, LONG_AGO)], NOW).master is None


def test_a_silent_master_is_named_as_such() -> None:
    found = find_master([ours(MASTER, LONG_AGO), ours(WORKER)], NOW)
    assert "but no master: pi1" not in found.sentence
    assert "pi1 (10.0.0.1)" in found.sentence
    assert "silent" in found.sentence


def test_masters_are_trusted_and_sorted_by_name() -> None:
    peers = [ours(SECOND), ours(MASTER), strange(NEIGHBOUR), ours(WORKER)]
    assert [peer.advert.node for peer in masters(peers)] == ["pi1", "pi9"]


# --- hearing ------------------------------------------------------------------------------


def heard(*adverts: Advert, book: Book | None = None) -> Book:
    for number, advert in enumerate(adverts):
        book = hear(book or {}, encode(advert, KEY), KEY, "own", NOW + number)
    return book or {}


def test_a_signed_advert_is_trusted() -> None:
    assert heard(MASTER) == {"aa": Peer(MASTER, True, NOW)}


@pytest.mark.parametrize(
    ("key", "why"), [(KEY, "not signed with our token"), (None, "no token here")]
)
def test_what_is_not_signed_with_our_key_is_kept_as_a_stranger(key: bytes | None, why: str) -> None:
    book = hear({}, encode(MASTER, OTHER_KEY), key, "own", NOW)
    assert book == {"?aa": Peer(MASTER, False, NOW, why)}
    assert masters(book.values()) == []


def test_a_stranger_cannot_displace_a_trusted_peer() -> None:
    before = heard(MASTER)
    forged = replace(MASTER, address="10.6.6.6", sequence=10**9)
    book = hear(before, encode(forged, OTHER_KEY), KEY, "own", NOW)
    assert book["aa"] == before["aa"]
    found = find_master(book.values(), NOW)
    assert found.master is not None
    assert found.master.advert.address == "10.0.0.1"


def test_a_stranger_that_calls_itself_by_a_strange_name_displaces_nobody() -> None:
    """`?bb` as the id of one stranger is not the place of the stranger bb."""
    before = hear(heard(MASTER), encode(WORKER, OTHER_KEY), KEY, "own", NOW)
    book = hear(before, encode(replace(MASTER, node_id="?bb"), OTHER_KEY), KEY, "own", NOW)
    assert book["?bb"] == before["?bb"]
    assert book["aa"] == before["aa"]


def test_the_stranger_becomes_a_peer_once_its_word_is_signed() -> None:
    book = hear({}, encode(MASTER, KEY), None, "own", NOW)
    assert set(heard(MASTER, book=book)) == {"aa"}


@pytest.mark.parametrize("sequence", [0, 6, 7])
def test_an_old_or_equal_sequence_number_is_ignored(sequence: int) -> None:
    before = heard(MASTER)
    again = replace(MASTER, sequence=sequence, state="leaving")
    assert hear(before, encode(again, KEY), KEY, "own", NOW + 60) is before


def test_a_newer_sequence_number_counts() -> None:
    newer = replace(MASTER, sequence=8, state="leaving")
    assert heard(MASTER, newer) == {"aa": Peer(newer, True, NOW + 1)}


def test_our_own_advert_is_ignored() -> None:
    assert hear({}, encode(MASTER, KEY), KEY, "aa", NOW) == {}


@pytest.mark.parametrize("record", [b"", b"\x00", b"\xff" * 40])
def test_what_is_no_advert_is_ignored(record: bytes) -> None:
    before = heard(MASTER)
    assert hear(before, record, KEY, "own", NOW) is before


def test_strangers_are_bounded_and_leave_room_for_our_own() -> None:
    book: Book = {}
    for number in range(3 * MOST_STRANGERS):
        flood = replace(NEIGHBOUR, node_id=f"flood{number}")
        book = hear(book, encode(flood, OTHER_KEY), KEY, "own", NOW)
    assert len(book) == MOST_STRANGERS
    book = heard(MASTER, book=book)
    assert book["aa"].trusted
    # a known stranger may still say something new
    later = replace(NEIGHBOUR, node_id="flood0", state="leaving")
    book = hear(book, encode(later, OTHER_KEY), KEY, "own", NOW + 9)
    assert book["?flood0"].heard == NOW + 9
    assert set(forget_strangers(book, NOW + SILENT_AFTER + 5)) == {"aa", "?flood0"}


def test_a_recording_played_to_a_newcomer_makes_it_wait_but_no_longer_than_it_is_fresh() -> None:
    """It is signed, so it is believed: join asks that API and pins its CA, which nobody there has.

    Played again it is not news: the recorded master falls silent and is given up.
    """
    recording = encode(MASTER, KEY)
    book = hear({}, recording, KEY, "own", NOW)
    found = find_master(book.values(), NOW)
    assert found.master is not None
    assert found.master.advert == MASTER
    for second in range(0, 300, 10):
        book = hear(book, recording, KEY, "own", NOW + second)
    assert find_master(book.values(), NOW + 300).master is None
    # the true master has gone on counting
    moved = replace(MASTER, address="10.0.0.77", sequence=2008)
    found = find_master(heard(moved, book=book).values(), NOW)
    assert found.master is not None
    assert found.master.advert.address == "10.0.0.77"


def test_a_silent_master_is_told_in_the_same_words_from_second_to_second() -> None:
    first, second = (find_master([ours(MASTER, LONG_AGO)], NOW + late) for late in (0, 1))
    assert first == second


def test_masters_of_before_a_restore_are_none_any_more() -> None:
    old, new = replace(MASTER, ca_hash="sha256:11"), replace(SECOND, ca_hash="sha256:11", life=7)
    other = replace(NEIGHBOUR, ca_hash="sha256:22")
    found = masters([ours(old), ours(new), ours(other)])
    assert [peer.advert.node for peer in found] == ["pi5", "pi9"]
    assert [peer.advert.node for peer in masters([ours(old), ours(replace(new, life=0))])] == [
        "pi1", "pi9",
    ]  # fmt: skip
