"""A node that is disabled: how it was asked for, and whom it waits for; pure.

Disabled with all others, the nodes go in this order, each seeing from the adverts when it is its
turn: the workers stop their pods, then the masters, and who serves the share does so until the
last of its users is gone. Tests: tests/unit/test_disabled.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kubepi.decide.peerbook import Book, Peer

# States of an advert. "serving": all is stopped but the share, which others still use.
DISABLING, SERVING, DISABLED, OFF, ENABLING = "disabling", "serving", "disabled", "off", "enabling"
WITHOUT_PODS = (SERVING, DISABLED, OFF)
# On the Node object: no new pods at kubepi's word, for this node alone or with all others.
ANNOTATION = "kubepi.io/disabled"
ALONE, WITH_ALL = "alone", "with-all"
WAS_CORDONED = "kubepi.io/was-cordoned"  # by somebody else before, who finds that again


@dataclass(frozen=True)
class Disabled:
    """`until`: "enable", or "boot" where the next start of the Pi ends it.

    `whole`: with all other nodes, so that pods have nowhere to go. `forced`: what blocks is not
    waited for. `alone`: the API did not answer. `without`: nodes that are not waited for.
    `returning`: on its way back.
    """

    until: str = "enable"
    whole: bool = False
    forced: bool = False
    cleans: bool = False
    alone: bool = False
    without: tuple[str, ...] = ()
    returning: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Disabled":
        return Disabled(**{**data, "without": tuple(data["without"])})


def members(book: Book) -> list[Peer]:
    """Trusted peers that are nodes of the cluster, by name."""
    found = [p for p in book.values() if p.trusted and p.advert.role in ("master", "worker")]
    return sorted(found, key=lambda peer: peer.advert.node)


def still_on(book: Book, now: float, without: tuple[str, ...], role: str = "") -> list[str]:
    """Names of the nodes, of one role or of any, that are heard and still have pods."""
    return [
        peer.advert.node
        for peer in members(book)
        if not peer.is_silent(now)
        and peer.advert.state not in WITHOUT_PODS
        and peer.advert.node not in without
        and role in ("", peer.advert.role)
    ]


def not_back(book: Book, now: float, server: str) -> str | None:
    """What a worker that comes back waits for: a master, then who serves the share."""
    masters = [peer for peer in members(book) if peer.is_master and not peer.is_silent(now)]
    if not any(peer.advert.state == "ready" for peer in masters):
        told = [f"{peer.advert.node} is {peer.advert.state}" for peer in masters]
        return ", ".join(told) or "no master is heard"
    for peer in members(book):
        advert = peer.advert
        if advert.address == server and advert.state in (DISABLING, *WITHOUT_PODS):
            return f"{advert.node}, which serves the share, is {advert.state}"
    return None
