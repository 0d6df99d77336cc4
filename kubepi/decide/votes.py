"""What an advert shows of an election: ballots, votes and ranks, and how they are written; pure.

On the wire a vote is `promised/accepted/choice/master/expect`, a ballot `epoch.round.node`.
Tests: tests/unit/test_votes.py.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

NODE = "[0-9a-f]{0,16}"
NUMBER = "[0-9]{1,6}"
BALLOT = rf"({NUMBER})\.({NUMBER})\.({NODE})"
VOTE = re.compile(rf"{BALLOT}/{BALLOT}/({NODE})/({NODE})/({NUMBER})")
RANK = re.compile(rf"{NUMBER}(\.{NUMBER}){{0,5}}")
# Higher is better, compared from the left: see decide/fitness.py.
Rank = tuple[int, ...]


class Ballot(NamedTuple):
    """Compared as a tuple. A round of 0 was proposed by nobody: an epoch that only began."""

    epoch: int = 0
    round: int = 0
    node: str = ""


NO_BALLOT = Ballot()


@dataclass(frozen=True)
class Vote:
    """All that a node promised; `choice` goes with `accepted`, `expect` 0 means any number.

    `master` is the id of the master that the node belongs to, its own if it is one.
    """

    promised: Ballot = NO_BALLOT
    accepted: Ballot = NO_BALLOT
    choice: str = ""
    master: str = ""
    expect: int = 0


NO_VOTE = Vote()


def write_vote(vote: Vote) -> str:
    ballots = (f"{b.epoch}.{b.round}.{b.node}" for b in (vote.promised, vote.accepted))
    return "/".join([*ballots, vote.choice, vote.master, str(vote.expect)])


def read_vote(text: str) -> Vote | None:
    """None if it is not a vote, or one that nobody can have cast."""
    found = VOTE.fullmatch(text)
    if found is None:
        return None
    part = found.groups()
    promised = Ballot(int(part[0]), int(part[1]), part[2])
    accepted = Ballot(int(part[3]), int(part[4]), part[5])
    if accepted > promised or (accepted.round > 0) != (part[6] != ""):
        return None
    return Vote(promised, accepted, part[6], part[7], int(part[8]))


def write_rank(rank: Rank | None) -> str:
    """Empty for a node that never proposes."""
    return "" if rank is None else ".".join(str(number) for number in rank)


def read_rank(text: str) -> Rank | None:
    if RANK.fullmatch(text) is None:
        return None
    return tuple(int(number) for number in text.split("."))
