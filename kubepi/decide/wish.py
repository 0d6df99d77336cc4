"""A wish: what one node asks of the others in its signed advert; pure.

`ID VERB[=ABOUT] [NODE,NODE …]`; without targets it is for all. A recording of one is used for
nothing: an advert that is older than the last wish that was obeyed, or than an hour, wishes
nothing.
Tests: tests/unit/test_wish.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kubepi.decide.peerbook import Book

CHECK_SHARE = "check-share"
KEEP_BACKUP = "keep-backup"  # a copy of the newest one of who asks
DISABLE = "disable"  # with all others, until it is enabled
DISABLE_UNTIL_BOOT = "disable-until-boot"
GO_ON_WITHOUT = "go-on-without"  # the nodes it names: they are not waited for any more
POWER_OFF = "power-off"  # of a node that is disabled
ENABLE = "enable"
FORGET = "forget"  # the nodes it names, which are dead
UPGRADE = "upgrade"  # about: the version of Kubernetes
TAKE_KUBEPI = "take-kubepi"  # about: the first half of the SHA-256 of the asker's file
FRESH = 3600.0  # seconds by which the clocks of two Pis may differ
ADD_MASTER = "add-master"


@dataclass(frozen=True)
class Wish:
    """`number` is 16 hexadecimal digits, another one for each wish."""

    number: str
    verb: str
    targets: tuple[str, ...] = ()
    about: str = ""

    def __str__(self) -> str:
        what = f"{self.verb}={self.about}" if self.about else self.verb
        return f"{self.number} {what} {','.join(self.targets)}".rstrip()

    def is_for(self, node: str) -> bool:
        return self.verb in (GO_ON_WITHOUT, FORGET) or not self.targets or node in self.targets


@dataclass(frozen=True)
class Obeyed:
    """The last wish of a node that was obeyed: its number, and that of the advert it came in."""

    number: str
    sequence: int


def parse_wish(text: str) -> Wish | None:
    """What an advert says; None for none."""
    form = r"([0-9a-f]{16}) ([a-z-]+)(?:=([A-Za-z0-9._-]+))?(?: ([a-z0-9,-]+))?"
    found = re.fullmatch(form, text)
    if found is None:
        return None
    targets = tuple(found[4].split(",")) if found[4] else ()
    return Wish(found[1], found[2], targets, found[3] or "")


def new_wishes(
    book: Book, node: str, obeyed: Mapping[str, Obeyed], now: float, clock: float
) -> dict[str, Wish]:
    """Those for this node that it did not obey yet, by the id of who asks.

    `obeyed` has the last one, by the same id; `now` is the hearer's own seconds, `clock` those
    since 1970. A silent node wishes nothing.
    """
    found = {}
    for name, peer in book.items():
        if not peer.trusted or peer.is_silent(now) or abs(peer.advert.time - clock) > FRESH:
            continue
        wish, last = parse_wish(peer.advert.wish), obeyed.get(name, Obeyed("", -1))
        if wish is None or wish.number == last.number or peer.advert.sequence <= last.sequence:
            continue
        if wish.is_for(node):
            found[name] = wish
    return found
