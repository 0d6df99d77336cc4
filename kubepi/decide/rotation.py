"""The cluster's token is changed while some nodes are off: whose adverts count meanwhile; pure.

Tokens are numbered. A node that has a newer one signs its adverts with it, and shortly with the
one before as long as a node that it knows was not heard with the newer one. So nobody loses sight
of anybody: who is behind believes the short signature, sees the higher number, and fetches the
token; who is ahead believes the older signature from those alone that it waits for.

Two tokens made at once, in two halves of a network: the one with the higher mark wins. Whoever
knows only nodes that had the lower one for a while may miss that: it is given the token by hand.
Tests: tests/unit/test_rotation.py, tests/laws/test_rotations.py.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from kubepi.decide.adverts import is_signed, is_signed_too
from kubepi.decide.credentials import advert_key
from kubepi.errors import UsageError

FIRST = 1
MARK = re.compile(r"([1-9]\d{0,2})\.([0-9a-f]{6})")
Mark = tuple[int, str]  # the number of a token and its print: of two, the higher one is newer


class Trust(Enum):
    """By which key an advert is believed."""

    OURS = "ours"
    AHEAD = "has a newer token"
    BEHIND = "has the token before this one still"
    APART = "has another new token"
    NOT = "not signed with our token"


@dataclass(frozen=True)
class Tokens:
    """What a node has: its token, the one before while it waits for others, and for whom (ids)."""

    token: str = field(repr=False)
    number: int = FIRST
    before: str = field(default="", repr=False)
    waiting: frozenset[str] = frozenset()

    @property
    def mark(self) -> Mark:
        # no way back from 24 bits of a hash of 135 random ones
        return self.number, hashlib.sha256(f"kubepi mark {self.token}".encode()).hexdigest()[:6]

    @property
    def word(self) -> str:
        """As an advert says it; nothing for a first token, which most clusters have for ever."""
        number, letters = self.mark
        return "" if number == FIRST else f"{number}.{letters}"


@dataclass(frozen=True)
class Offer:
    """What a node that is ahead gives to one that asks with the token before.

    `have`: ids that it was heard with the new token by; nobody else has to wait for them.
    """

    token: str = field(repr=False)
    number: int
    have: frozenset[str] = frozenset()


def read_mark(word: str) -> Mark | None:
    """None for a first token's, and for what is no mark."""
    found = MARK.fullmatch(word)
    return None if found is None else (int(found[1]), found[2])


def begin(tokens: Tokens, token: str, known: Collection[str]) -> Tokens:
    """The first node with a new token.

    Raises:
        UsageError: the last change has not reached everybody.
    """
    if tokens.before:
        raise UsageError(
            f"the last change of the token has not reached {len(tokens.waiting)} nodes yet",
            "sudo kubepi doctor names them: switch them on, or forget them",
        )
    return settle(Tokens(token, tokens.number + 1, tokens.token, frozenset(known)), ())


def judge(tokens: Tokens, record: bytes, node: str, known: Collection[str]) -> Trust:
    """`node`: the id that the record names; `known`: ids that were believed before."""
    key = advert_key(tokens.token)
    if is_signed(record, key):
        return Trust.OURS
    if is_signed_too(record, key):
        return Trust.AHEAD
    if tokens.before:
        before = advert_key(tokens.before)
        if node in tokens.waiting and is_signed(record, before):
            return Trust.BEHIND
        if node in {*known, *tokens.waiting} and is_signed_too(record, before):
            return Trust.APART
    return Trust.NOT


def heard(tokens: Tokens, trust: Trust, node: str, word: str) -> Tokens:
    """After an advert: one node less to wait for, if it has our token, or had it and went on."""
    if trust not in (Trust.OURS, Trust.AHEAD):
        return tokens
    mark = read_mark(word) if trust is Trust.OURS else None
    number = tokens.number if mark is None else max(tokens.number, mark[0])
    return settle(replace(tokens, number=number), {node})


def settle(tokens: Tokens, gone: Collection[str]) -> Tokens:
    """Those ids are waited for no more; with the last one the token before is given up.

    Who is only not known here is no such id: another node told of it, or the power went before
    its name was on the disk.
    """
    waiting = tokens.waiting - set(gone)
    return replace(tokens, before=tokens.before if waiting else "", waiting=waiting)


def to_ask_with(tokens: Tokens, trust: Trust, word: str) -> str | None:
    """The token by which the newer one is fetched from that node; None if it has no newer one.

    Nor is there one as long as this node waits for others: with a second change it would have no
    place for the token that those have still.
    """
    mark = read_mark(word)
    by = {Trust.AHEAD: tokens.token, Trust.APART: tokens.before}.get(trust)
    is_newer = mark is not None and mark > tokens.mark
    return by if by is not None and is_newer and _may_follow(tokens, by) else None


def _may_follow(tokens: Tokens, by: str) -> bool:
    return by == (tokens.before or tokens.token)


def follow(tokens: Tokens, offer: Offer, known: Collection[str], by: str) -> Tokens:
    """After a newer token was fetched, with the token `by`: this node waits for all the others,
    but for those whom the giver heard with it.

    `known`: also those whom the giver waits for, which are on this node's disk by now.
    """
    if not _may_follow(tokens, by):
        return tokens  # it came from another node meanwhile
    found = settle(Tokens(offer.token, offer.number, by, frozenset(known)), offer.have)
    return found if found.mark > tokens.mark else tokens


def waited_for(tokens: Tokens, known: Mapping[str, tuple[str, str]]) -> list[str]:
    """Names of the nodes that were not heard with the new token, for a person."""
    return sorted(known[node][0] if node in known else node for node in tokens.waiting)
