"""How many masters there are to be, and which of the Pis that join become one; pure.

Tests: tests/unit/test_masters.py.
"""

from collections.abc import Mapping
from typing import Any

from kubepi.decide.peerbook import Book
from kubepi.decide.votes import Rank, read_rank

# of two, each takes the other one's API with it: none may be lost, and twice as many can be
TWO = (
    "two masters are worse than one: when either is off, the API and all that changes stands still",
    "make a third: sudo kubepi join --role master on another Pi",
)


def wanted_masters(settings: Mapping[str, Any]) -> int:
    """`cluster.masters` as a number; names say who may be the one."""
    wanted = settings["cluster.masters"]
    return wanted if isinstance(wanted, int) else 1


def becomes_master(
    settings: Mapping[str, Any], own_id: str, rank: Rank | None, book: Book, now: float
) -> bool:
    """Whether this node, which is to join now, is one of the best for the places that are left.

    `rank` is None for a node that is not fit. `now`: seconds, the clock of the book.
    """
    there = [p.advert for p in book.values() if p.trusted and not p.is_silent(now)]
    taken = sum(1 for advert in there if advert.role == "master" and advert.state != "leaving")
    left = wanted_masters(settings) - taken
    undecided = {a.node_id: read_rank(a.rank) for a in there if a.state == "electing"}
    ranked = [(r, i) for i, r in {**undecided, own_id: rank}.items() if r is not None]
    best = [i for _, i in sorted(ranked, reverse=True)][: max(left, 0)]
    return own_id in best
