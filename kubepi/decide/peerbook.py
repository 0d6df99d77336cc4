"""Which adverts are believed, and what is known of each peer; pure.

A peer is trusted by the MACs of its advert alone: the one by the cluster's token, and while that
is changed a short one by the token before (rotation.py judges it). An advert with none that is
good, or a sequence number not above the last one heard from that node, is used for nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kubepi.decide.adverts import Advert, decode, is_signed
from kubepi.decide.backup import Manifest
from kubepi.decide.upgrade import UPGRADING
from kubepi.decide.votes import read_vote

SILENT_AFTER = 150.0  # seconds; a settled node speaks once a minute
MOST_STRANGERS = 64  # what a hostile LAN can make us remember


@dataclass(frozen=True)
class Peer:
    """The newest advert of one node and when it was heard (seconds, the hearer's clock)."""

    advert: Advert
    trusted: bool
    heard: float
    why: str = ""  # why it is not trusted, or what else is odd

    @property
    def is_master(self) -> bool:
        """One that joins as a further master is none before it has."""
        return self.trusted and self.advert.role == "master" and self.advert.state != "joining"

    @property
    def is_first(self) -> bool:
        """The master that made the cluster: every vote names it, its own too."""
        vote = read_vote(self.advert.vote)
        return self.is_master and vote is not None and vote.master == self.advert.node_id

    def is_silent(self, now: float) -> bool:
        return now - self.heard > SILENT_AFTER


Book = Mapping[str, Peer]


def hear(book: Book, record: bytes, key: bytes | None, own_id: str, now: float) -> Book:
    """The book after a record was heard; the same book if it tells nothing new."""
    return note(book, record, why_not(record, () if key is None else (key,)), own_id, now)


def why_not(record: bytes, keys: Collection[bytes]) -> str:
    """Why a record is not believed by any of the keys; "" if it is."""
    if not keys:
        return "no token here"
    is_good = any(is_signed(record, key) for key in keys)
    return "" if is_good else "not signed with our token"


def note(book: Book, record: bytes, why: str, own_id: str, now: float) -> Book:
    """As `hear`, of a record that was judged: `why` it is not believed, "" if it is."""
    advert = decode(record)
    if advert is None or advert.node_id == own_id:
        return book
    if not why:
        return _believe(book, advert, now)
    # a stranger is kept under another name: it cannot push a trusted peer out
    name = f"?{advert.node_id}"
    strangers = sum(1 for known in book if known.startswith("?"))
    if name not in book and strangers >= MOST_STRANGERS:
        return book
    return {**book, name: Peer(advert, False, now, why)}


def _believe(book: Book, advert: Advert, now: float) -> Book:
    known = book.get(advert.node_id)
    if known is not None and advert.sequence <= known.advert.sequence:
        return book
    # what was heard unsigned from this node (before we knew the token) is of no use any more
    rest = {name: peer for name, peer in book.items() if name != f"?{advert.node_id}"}
    return {**rest, advert.node_id: Peer(advert, True, now)}


def other_life(record: bytes, key: bytes | None, own_id: str, said: int) -> Advert | None:
    """An advert of this very node with a number above all that it can have said itself.

    It was restored on another board, and goes on there.
    """
    advert = decode(record)
    if advert is None or advert.node_id != own_id or advert.sequence <= said:
        return None
    return advert if key is not None and is_signed(record, key) else None


def earlier_cards(
    book: Book, known: Mapping[str, tuple[str, str]], own: Advert | None, now: float
) -> set[str]:
    """Ids of boards' earlier cards: a member of that name with another id is heard, they are not.

    `own`: what this node says of itself; another node may tell of its earlier card.

    One that only joins may be a duplicate; a master has its stale Node to see to first.
    """
    heard = {name for name, peer in book.items() if peer.trusted and not peer.is_silent(now)}
    adverts = [*([] if own is None else [own]), *(book[name].advert for name in heard)]
    names = {advert.node for advert in adverts if advert.state == "ready"}
    return {name for name, (node, _) in known.items() if node in names and name not in heard}


def forget_strangers(book: Book, now: float) -> Book:
    return {name: peer for name, peer in book.items() if peer.trusted or not peer.is_silent(now)}


def masters(peers: Iterable[Peer]) -> list[Peer]:
    """Trusted peers that say they are a master: the one that made the cluster, then by name.

    Of a cluster that was restored only those of its last life: the others step back.
    """
    there = [peer for peer in peers if peer.is_master]
    lives: dict[str, int] = {}
    for peer in there:
        lives[peer.advert.ca_hash] = max(lives.get(peer.advert.ca_hash, 0), peer.advert.life)
    found = (peer for peer in there if peer.advert.life == lives[peer.advert.ca_hash])
    return sorted(found, key=lambda peer: (not peer.is_first, peer.advert.node))


def is_heard(book: Book, node: str) -> bool:
    """Whether anybody says that it is that node, believed or not: its token may be a newer one."""
    return node in book or f"?{node}" in book


def others_like(book: Book, manifest: Manifest, ca: str) -> list[Advert]:
    """Nodes with another token that belong to the cluster of a backup: its master, by id or CA,
    and whoever joined it before its token was changed."""
    strangers = [peer.advert for peer in book.values() if not peer.trusted]
    return [
        advert for advert in strangers
        if advert.role in ("master", "worker") and (
            advert.node_id == manifest.node_id or (ca and advert.ca_hash == ca)
            or (manifest.cluster_id and advert.cluster_id == manifest.cluster_id)
        )
    ]  # fmt: skip


def clusters(peers: Iterable[Peer]) -> set[str]:
    """One entry for each control plane: masters with the same CA are one."""
    return {peer.advert.ca_hash or peer.advert.node_id for peer in masters(peers)}


def ready_masters(peers: Iterable[Peer], now: float) -> list[Peer]:
    """Those of `masters` that can be joined; `now`: seconds, the clock they were heard by."""
    found = masters(peers)
    return [peer for peer in found if not peer.is_silent(now) and peer.advert.state == "ready"]


@dataclass(frozen=True)
class Rendezvous:
    """The answer to "whom do I join?": a master, or why there is none (yet)."""

    master: Peer | None
    sentence: str = ""
    hint: str = ""
    final: bool = False  # listening longer will not help


def find_master(peers: Iterable[Peer], now: float) -> Rendezvous:
    """Each way it can go wrong has its own sentence, with what was seen."""
    heard = list(peers)
    found = [peer for peer in masters(heard) if not peer.is_silent(now)]
    planes = len(clusters(found))
    ready = ready_masters(heard, now)
    if planes == 1 and ready:
        return Rendezvous(ready[0])
    if planes == 1:
        advert = found[0].advert
        what = "being upgraded" if advert.state == UPGRADING else "not ready yet"
        return Rendezvous(
            None,
            f"the master {advert.node} ({advert.address}) is {what}: "
            f"{advert.progress or advert.state}",
            f"wait until kubepi status on {advert.node} says ready, then run join again",
        )
    if planes > 1:
        names = " and ".join(f"{p.advert.node} ({p.advert.address})" for p in found)
        return Rendezvous(
            None,
            f"two masters have this token: {names}; kubepi never merges two clusters",
            "run kubepi reset on the one that is to go, then join again",
            final=True,
        )
    strangers = [p for p in heard if not p.trusted and p.advert.role == "master"]
    if strangers:
        names = ", ".join(
            f"{p.advert.node} ({p.advert.address}), master of {p.advert.cluster!r}"
            for p in strangers
        )
        return Rendezvous(
            None,
            f"the token given here is not that of any master on this LAN: heard {names}",
            "print the right token on the master with: sudo kubepi token show",
        )
    silent = [peer for peer in masters(heard) if peer.is_silent(now)]
    if silent:
        advert = silent[0].advert
        return Rendezvous(
            None,
            f"the master {advert.node} ({advert.address}) fell silent",
            f"is {advert.node} on, and on this network? kubepi status there tells how it is",
        )
    nodes = ", ".join(sorted(p.advert.node for p in heard if p.trusted))
    seen = f"; heard with our token, but no master: {nodes}" if nodes else "; heard no node at all"
    return Rendezvous(
        None,
        f"found no master on this LAN{seen}",
        "run kubepi init on one Pi first; where multicast does not pass (guest Wi-Fi, VLAN), "
        "name the master: kubepi join --master ADDRESS",
    )

