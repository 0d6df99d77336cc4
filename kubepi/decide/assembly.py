"""The voters as one node sees them: who is there, and what their votes add up to; pure.

Tests: tests/unit/test_elect.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from kubepi.decide.votes import Ballot, Rank, Vote

FRESH = 10.0  # seconds; who was not heard for that long is not there
QUIET = 15.0  # seconds without a new Pi after which no more are waited for


@dataclass(frozen=True)
class Candidate:
    """This node. A `rank` of None never proposes; `begun`: it changed itself for its master."""

    node: str
    name: str
    rank: Rank | None
    expect: int = 0
    begun: bool = False


@dataclass(frozen=True)
class Seen:
    """The newest trusted advert of a peer, heard at `heard` (seconds, the hearer's clock).

    `is_master`: it has an API, as the master that its vote names or as a further one of it.
    """

    name: str
    vote: Vote
    rank: Rank | None
    heard: float
    is_master: bool = False


Peers = Mapping[str, Seen]


@dataclass(frozen=True)
class Assembly:
    """This node with its vote, and its peers, silent ones included."""

    me: Candidate
    vote: Vote
    peers: Peers
    now: float

    @cached_property
    def votes(self) -> dict[str, Vote]:
        return {self.me.node: self.vote, **{i: peer.vote for i, peer in self.peers.items()}}

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset({self.me.node, *self.peers})

    @cached_property
    def expect(self) -> int:
        """The largest number that anybody expects; 0 if nobody does."""
        return max(vote.expect for vote in self.votes.values())

    @cached_property
    def quorum(self) -> int:
        return max(self.expect, len(self.ids)) // 2 + 1

    @cached_property
    def there(self) -> list[str]:
        """The ids heard of late, the own first."""
        fresh = (i for i, peer in self.peers.items() if self.now - peer.heard <= FRESH)
        return [self.me.node, *fresh]

    @cached_property
    def able(self) -> list[str]:
        """Of those there, who may propose, the best first: the same order for everybody."""
        ranks = {i: self.rank(i) for i in self.there}
        ranked = [(rank, i) for i, rank in ranks.items() if rank is not None]
        return [i for _, i in sorted(ranked, reverse=True)]

    def rank(self, node: str) -> Rank | None:
        return self.me.rank if node == self.me.node else self.peers[node].rank

    def name(self, node: str) -> str:
        if node == self.me.node:
            return self.me.name
        return self.peers[node].name if node in self.peers else f"the node {node}"

    def names(self, nodes: list[str]) -> str:
        return ", ".join(sorted(self.name(node) for node in nodes))

    def is_settled(self, quiet: float) -> bool:
        """Whether no more Pis are waited for; `quiet`: seconds since a new one was seen."""
        if self.expect and len(self.ids) >= self.expect:
            return True
        return quiet >= QUIET and (not self.expect or len(self.there) >= self.quorum)

    def promises(self, ballot: Ballot) -> list[Vote]:
        return [vote for vote in self.votes.values() if vote.promised == ballot]

    @cached_property
    def electors(self) -> list[str]:
        """The ids of the quorum that accepted one ballot of this epoch; empty before."""
        epoch = self.vote.promised.epoch
        for ballot in {v.accepted for v in self.votes.values() if v.choice}:
            accepted = [i for i, vote in self.votes.items() if vote.accepted == ballot]
            if ballot.epoch == epoch and len(accepted) >= self.quorum:
                return accepted
        return []

    @cached_property
    def elected(self) -> str:
        """Whom a quorum chose; "" if nobody yet."""
        return self.votes[self.electors[0]].choice if self.electors else ""

    def heard(self, master: str) -> Seen | None:
        """The last word of a master, or of any other of its control plane."""
        plane = [p for i, p in self.peers.items()
                 if i == master or (p.is_master and p.vote.master == master)]  # fmt: skip
        return max(plane, key=lambda peer: peer.heard, default=None)

    @cached_property
    def masters(self) -> list[str]:
        """The ids that are named as masters, by votes that no later epoch voids."""
        epoch = self.vote.promised.epoch
        votes = self.votes.values()
        return sorted({v.master for v in votes if v.master and v.promised.epoch >= epoch})
