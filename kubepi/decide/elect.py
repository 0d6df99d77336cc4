"""Who becomes the master: single-decree Paxos, carried by adverts; pure.

No request and no reply: each advert shows its sender's whole vote, and a hearer keeps the newest of
each peer. A changed vote is on the disk before the advert that shows it leaves.
Tests: tests/unit/test_elect.py (rule by rule), tests/laws/test_elections.py (thousands of them).
"""

from dataclasses import dataclass, replace
from enum import Enum

from kubepi.decide.assembly import QUIET, Assembly, Candidate, Peers
from kubepi.decide.peerbook import SILENT_AFTER
from kubepi.decide.votes import NO_VOTE, Ballot, Vote

PATIENCE = 3.0  # seconds that a ballot, or a better node, may take without progress


class Verdict(Enum):
    LEAD = "lead"
    JOIN = "join"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True)
class Decision:
    """What follows for this node, and why; `master` and `name`: whom it is about."""

    verdict: Verdict
    reason: str
    master: str = ""
    name: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Election:
    """The vote, which survives a power cut; the rest may be forgotten: who was new, and when."""

    vote: Vote = NO_VOTE
    ids: frozenset[str] = frozenset()
    new_at: float = 0.0
    mark: object = None
    mark_at: float = 0.0


def elect(me: Candidate, before: Election, peers: Peers, now: float) -> tuple[Election, Decision]:
    """One look at the adverts: the election after it, and what follows for this node."""
    vote = take_over(me, replace(before.vote, expect=me.expect), peers)
    seen = Assembly(me, vote, peers, now)
    new_at = before.new_at if seen.ids == before.ids else now
    if not seen.masters:
        vote = accept(seen)
        seen = replace(seen, vote=vote)
    settled = seen.is_settled(now - new_at)
    mark = (settled, vote.promised, len(seen.promises(vote.promised)), seen.elected)
    mark_at = before.mark_at if mark == before.mark else now
    if seen.masters:
        vote, decision = belong(seen)
    elif seen.elected:
        vote, decision = follow(seen)
    elif not settled:
        decision = Decision(Verdict.WAIT, missing(seen, QUIET - (now - new_at)))
    else:
        vote, decision = propose(seen, now - mark_at)
    return Election(vote, seen.ids, new_at, mark, mark_at), decision


def take_over(me: Candidate, vote: Vote, peers: Peers) -> Vote:
    """A higher promise; with a higher epoch the master goes for whom nothing was begun yet."""
    promised = max([vote.promised, *(peer.vote.promised for peer in peers.values())])
    if promised.epoch > vote.promised.epoch and not me.begun:
        vote = replace(vote, master="")
    vote = replace(vote, promised=promised)
    for peer in peers.values():
        if peer.vote.accepted > vote.accepted and peer.vote.accepted >= promised:
            vote = replace(vote, accepted=peer.vote.accepted, choice=peer.vote.choice)
    return vote


def accept(seen: Assembly) -> Vote:
    """My own ballot, when a quorum promised it: with the choice that may be made already."""
    vote = seen.vote
    ballot = vote.promised
    promises = seen.promises(ballot)
    if ballot.node != seen.me.node or ballot.round == 0 or vote.accepted >= ballot:
        return vote
    if len(promises) < seen.quorum:
        return vote
    made = [v for v in promises if v.choice and v.accepted.epoch == ballot.epoch]
    choice = max(made, key=lambda v: v.accepted).choice if made else seen.me.node
    return replace(vote, accepted=ballot, choice=choice)


def belong(seen: Assembly) -> tuple[Vote, Decision]:
    """Somebody is the master already."""
    vote, masters = seen.vote, seen.masters
    if len(masters) > 1:
        return vote, Decision(
            Verdict.STOP,
            f"there are two masters with this token: {seen.names(masters)}; "
            "kubepi never merges two clusters",
            hint="run kubepi reset on the one that is to go",
        )
    master = masters[0]
    vote = replace(vote, master=master)
    name = seen.name(master)
    if master == seen.me.node:
        return vote, Decision(Verdict.LEAD, "this Pi is the master", master, name)
    heard = seen.heard(master)
    if heard is not None and seen.now - heard.heard <= SILENT_AFTER:
        return vote, Decision(Verdict.JOIN, f"{name} is the master", master, name)
    since = "since this Pi started" if heard is None else f"for {seen.now - heard.heard:.0f} s"
    return vote, Decision(
        Verdict.WAIT, f"waits for the master {name}, not heard {since}", master, name,
        f"is {name} on, and on this network? If it is lost: sudo kubepi up --forget {name}",
    )  # fmt: skip


def follow(seen: Assembly) -> tuple[Vote, Decision]:
    """A quorum chose, and the master has not begun yet, or was not heard since."""
    master = seen.elected
    name = seen.name(master)
    if master == seen.me.node:
        count = f"{len(seen.electors)} of {max(seen.expect, len(seen.ids))} Pis"
        chosen = f"elected by {count}: {seen.names(seen.electors)}"
        return replace(seen.vote, master=master), Decision(
            Verdict.LEAD, chosen, master, name
        )
    if master in seen.there:
        return seen.vote, Decision(Verdict.WAIT, f"{name} is elected and begins", master, name)
    heard = seen.peers.get(master)
    since = "" if heard is None else f", which was heard {seen.now - heard.heard:.0f} s ago"
    return seen.vote, Decision(
        Verdict.WAIT, f"waits for {name}{since}: it was elected and has not begun",
        master, name,
        f"switch {name} on; if it is lost: sudo kubepi up --forget {name}",
    )  # fmt: skip


def propose(seen: Assembly, stuck: float) -> tuple[Vote, Decision]:
    """The best of those there proposes itself; `stuck`: seconds since the last progress."""
    vote, me = seen.vote, seen.me.node
    count = f"{len(seen.there)} of {max(seen.expect, len(seen.ids))} Pis are heard"
    if len(seen.there) < seen.quorum:
        return vote, Decision(Verdict.WAIT, f"{count}, {seen.quorum} must be: waits for more")
    if not seen.able:
        return vote, Decision(
            Verdict.STOP,
            f"none of the Pis that are there can be the master: {seen.names(seen.there)}",
            hint="kubepi doctor on each says why; more memory, or node.role: master on one",
        )
    if me in seen.able:
        # a ballot that runs is given its time first, and everybody who is better
        turns = seen.able.index(me) + (vote.promised.round > 0)
        if stuck >= PATIENCE * turns:
            ballot = Ballot(vote.promised.epoch, vote.promised.round + 1, me)
            return replace(vote, promised=ballot), Decision(
                Verdict.WAIT, f"{count}: proposes itself, in round {ballot.round}"
            )
    if vote.promised.round:
        votes = len(seen.promises(vote.promised))
        running = f"{seen.name(vote.promised.node)} proposes itself"
        return vote, Decision(Verdict.WAIT, f"{count}: {running} and has {votes} votes")
    return vote, Decision(Verdict.WAIT, f"{count}: {seen.name(seen.able[0])} is to propose itself")


def missing(seen: Assembly, patience: float) -> str:
    """Who is there, and how many are not."""
    names = seen.names(list(seen.ids))
    if seen.expect:
        return f"waits for {seen.expect - len(seen.ids)} more of {seen.expect} Pis; heard: {names}"
    return f"waits {max(patience, 0):.0f} s more for other Pis; heard: {names}"


def forget(me: Candidate, vote: Vote) -> Vote:
    """Gives up who was elected: what was voted before is void, here and wherever this is heard."""
    return replace(vote, promised=Ballot(vote.promised.epoch + 1, 0, me.node), master="")
