"""Whether etcd still has a quorum without some of its members; pure.

More than half of the voting members must run; a learner does not vote.
Tests: tests/unit/test_quorum.py.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Member:
    """One member of etcd. `name` is that of its node, "" as long as it never started.

    `identity`: as etcdctl wants it, hexadecimal; `peer_urls`: where the others reach it; `alive`:
    it answered, where it was asked.
    """

    identity: str
    name: str
    peer_urls: tuple[str, ...]
    is_learner: bool = False
    client_urls: tuple[str, ...] = ()
    alive: bool = True

    @property
    def address(self) -> str:
        return urlsplit(self.peer_urls[0]).hostname or "" if self.peer_urls else ""

    @property
    def label(self) -> str:
        return self.name or self.address


def voters(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if not member.is_learner]


def keeps_quorum(members: Sequence[Member], stopping: Collection[str]) -> bool:
    """While the nodes named in `stopping` are off, but members still: they come back."""
    voting = voters(members)
    up = [member for member in voting if member.alive and member.name not in stopping]
    return len(up) > len(voting) // 2


def may_leave(members: Sequence[Member], leaving: Collection[str]) -> bool:
    """Whether the nodes named in `leaving` can be taken out for good: the rest has a quorum."""
    rest = [member for member in members if member.name not in leaving]
    return keeps_quorum(rest, ())
