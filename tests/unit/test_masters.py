"""kubepi/decide/masters.py: which of the Pis that join by `up` become further masters."""

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.masters import becomes_master, wanted_masters
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer
from kubepi.decide.votes import Rank, write_rank
from tests.scene import settings

NOW = 1000.0
WIRED, WIRELESS = (0, 1, 0, 1, 50), (0, 1, 0, 0, 90)


def book(*peers: tuple[str, str, str, Rank | None]) -> Book:
    """(id, role, state, rank)"""
    return {
        node: Peer(
            Advert(node=node, node_id=node, role=role, state=state, rank=write_rank(rank)),
            True, NOW,
        )
        for node, role, state, rank in peers
    }  # fmt: skip


FIRST = ("aa", "master", "ready", WIRED)


@pytest.mark.parametrize(
    ("masters", "rank", "others", "expected"),
    [
        (3, WIRED, (FIRST,), True),
        (1, WIRED, (FIRST,), False),
        ([], WIRED, (FIRST,), False),
        (["me"], WIRED, (FIRST,), False),
        (3, None, (FIRST,), False),
        (3, WIRELESS, (FIRST, ("bb", "none", "electing", WIRED)), True),
        (3, WIRELESS, (FIRST, ("bb", "none", "electing", WIRED),
                       ("cc", "none", "electing", WIRED)), False),
        (3, WIRED, (FIRST, ("bb", "none", "electing", WIRELESS),
                    ("cc", "none", "electing", WIRELESS)), True),
        (3, WIRED, (FIRST, ("bb", "none", "electing", None), ("cc", "none", "electing", None)),
         True),
        (3, WIRED, (FIRST, ("bb", "master", "joining", WIRED), ("cc", "master", "ready", WIRED)),
         False),
        (5, WIRED, (FIRST, ("bb", "master", "joining", WIRED), ("cc", "master", "ready", WIRED)),
         True),
        (3, WIRED, (FIRST, ("bb", "worker", "joining", WIRED), ("cc", "worker", "ready", WIRED)),
         True),
        (3, WIRED, (FIRST, ("bb", "master", "ready", WIRED), ("cc", "none", "leaving", WIRED)),
         True),
    ],
)  # fmt: skip
def test_the_best_become_masters_until_there_are_enough(
    masters: object, rank: Rank | None, others: tuple[tuple[str, str, str, Rank | None], ...],
    expected: bool,
) -> None:  # fmt: skip
    wanted = settings(cluster__masters=masters)
    assert becomes_master(wanted, "me", rank, book(*others), NOW) is expected


def test_all_that_decide_at_the_same_time_come_to_the_same_end() -> None:
    """Each sees all others undecided; two of five places are taken by the two best."""
    ranks = {"bb": WIRED, "cc": WIRELESS, "dd": WIRED, "ee": WIRELESS}
    chosen = []
    for node, rank in ranks.items():
        others = [(n, "none", "electing", r) for n, r in ranks.items() if n != node]
        heard = book(FIRST, *others)
        if becomes_master(settings(cluster__masters=3), node, rank, heard, NOW):
            chosen.append(node)
    assert chosen == ["bb", "dd"]


def test_a_silent_master_leaves_its_place() -> None:
    silent = {n: Peer(p.advert, True, NOW - SILENT_AFTER - 1)
              for n, p in book(("bb", "master", "ready", WIRED)).items()}  # fmt: skip
    heard = {**book(FIRST, ("cc", "master", "ready", WIRED)), **silent}
    assert becomes_master(settings(cluster__masters=3), "me", WIRED, heard, NOW)


def test_names_are_no_number() -> None:
    assert wanted_masters(settings(cluster__masters=["pi1", "pi2"])) == 1
    assert wanted_masters(settings(cluster__masters=5)) == 5
