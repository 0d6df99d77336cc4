"""A wish: what one node asks of the others in its signed advert; pure.

`ID VERB [NODE,NODE …]`; without targets it is for all. Tests: tests/unit/test_wish.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubepi.decide.peerbook import Book

CHECK_SHARE = "check-share"


@dataclass(frozen=True)
class Wish:
    """`number` is 16 hexadecimal digits, another one for each wish."""

    number: str
    verb: str
    targets: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {','.join(self.targets)}".rstrip()

    def is_for(self, node: str) -> bool:
        return not self.targets or node in self.targets


def parse_wish(text: str) -> Wish | None:
    """What an advert says; None for none."""
    found = re.fullmatch(r"([0-9a-f]{16}) ([a-z-]+)(?: ([a-z0-9,-]+))?", text)
    if found is None:
        return None
    return Wish(found[1], found[2], tuple((found[3] or "").split(",")) if found[3] else ())


def new_wishes(book: Book, node: str, obeyed: Mapping[str, str], now: float) -> dict[str, Wish]:
    """Those for this node that it did not obey yet, by the id of who asks.

    `obeyed` has the number of the last one, by the same id. A silent node wishes nothing.
    """
    found = {}
    for name, peer in book.items():
        wish = parse_wish(peer.advert.wish) if peer.trusted and not peer.is_silent(now) else None
        if wish is not None and wish.is_for(node) and obeyed.get(name) != wish.number:
            found[name] = wish
    return found
