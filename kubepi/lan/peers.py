"""What the agent heard, and said last itself: read by the other commands from /run/kubepi."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from kubepi.decide.adverts import Advert
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.peerbook import Book, Peer, find_master, masters
from kubepi.decide.upgrade import UPGRADING
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host

PEERS = f"{state.RUN}/peers.json"
OWN = f"{state.RUN}/own.json"
CA = "/etc/kubernetes/pki/ca.crt"
UPGRADE_SECONDS = 3600.0


def to_json(book: Book) -> dict[str, Any]:
    return {name: asdict(peer) for name, peer in book.items()}


def from_json(data: Mapping[str, Any]) -> Book:
    return {
        name: Peer(Advert(**entry["advert"]), entry["trusted"], entry["heard"], entry["why"])
        for name, entry in data.items()
    }


def read_peers(host: Host) -> Book:
    """The agent's peers; none where no agent runs."""
    data = state.read_json(host, PEERS)
    return {} if data is None else from_json(data)


def read_own(host: Host) -> Advert | None:
    """What this node said of itself last; None where no agent speaks."""
    data = state.read_json(host, OWN)
    return None if data is None else Advert(**data)


def with_own(host: Host, book: Book) -> Book:
    """The peers, and this node as it says it is: for tables, where nobody may be missing."""
    own = read_own(host)
    return book if own is None else {own.node_id: Peer(own, True, host.monotonic()), **book}


def the_master(host: Host) -> Advert:
    """The advert of the one master this node belongs to or is to join.

    Raises:
        NotYet: the agent has not heard it.
    """
    found = find_master(read_peers(host).values(), host.monotonic())
    if found.master is None:
        raise NotYet(f"a master ({found.sentence})")
    return found.master.advert


def other_masters(host: Host) -> list[Advert]:
    """The masters of this node's own cluster that were heard, the one that made it first."""
    own_ca = ca_hash(host.read(CA) or "")
    found = [peer.advert for peer in masters(read_peers(host).values())]
    return [a for a in found if a.endpoint and own_ca and a.ca_hash == own_ca]


def wait_for_master(host: Host, patience: float) -> Advert:
    """Bounded; the agent is what listens. A master that is being upgraded is waited for longer.

    Raises:
        StepFailed: with what was heard instead.
    """

    def upgraded() -> str | None:
        peers, now = masters(read_peers(host).values()), host.monotonic()
        busy = [p.advert for p in peers if p.advert.state == UPGRADING and not p.is_silent(now)]
        return f"{busy[0].node} is being upgraded: {busy[0].progress}" if busy else None

    def heard() -> str | None:
        found = find_master(read_peers(host).values(), host.monotonic())
        if found.final:
            raise StepFailed(found.sentence, found.hint)
        return None if found.master is not None else found.sentence

    host.wait_until("the master", upgraded, UPGRADE_SECONDS, 2.0)
    host.wait_until("the master", heard, patience)
    return the_master(host)
