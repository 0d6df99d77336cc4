"""This node's part in the election: its vote on the disk, what it decides, and why.

May touch: the vote below /var/lib/kubepi, the decision below /run/kubepi.
Tests: tests/unit/test_voter.py, tests/lab/test_zero_touch.py.
"""

from dataclasses import asdict, dataclass, field, replace

from kubepi.decide import elect
from kubepi.decide.assembly import Candidate, Seen
from kubepi.decide.elect import Decision, Election, Verdict
from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.names import chosen_name
from kubepi.decide.peerbook import Book
from kubepi.decide.votes import Rank, Vote, read_rank, read_vote, write_vote
from kubepi.machine import state
from kubepi.machine.fitness import own_rank
from kubepi.machine.host import Host


@dataclass
class Voter:
    """Remembers the election between two looks; the vote also over a power cut."""

    host: Host
    node_id: str
    election: Election = field(init=False)
    decision: Decision | None = None
    rank: Rank | None = None

    def __post_init__(self) -> None:
        saved = read_vote((self.host.read(state.VOTE) or "").strip())
        self.election = Election(saved or Vote(), new_at=self.host.monotonic())

    def look(self, goal: Goal, facts: Facts, book: Book) -> None:
        """Take part; the vote is on the disk when this returns, so it may be shown."""
        me = self._candidate(goal, facts)
        before = self._belonging(goal, me)
        after, decision = elect.elect(me, before, seen(book), self.host.monotonic())
        self._save(after)
        if decision != self.decision and not self._was_decided(decision):
            self._tell(decision)

    def _candidate(self, goal: Goal, facts: Facts) -> Candidate:
        settings = goal.settings
        name = chosen_name(settings["node.name"], facts)
        self.rank = own_rank(facts, settings, self.host)
        return Candidate(
            self.node_id, name, self.rank, settings["cluster.expect"], goal.verb != "up"
        )

    def _belonging(self, goal: Goal, me: Candidate) -> Election:
        """`init` typed by hand made a master without an election; a wish to forget is obeyed."""
        election = self.election
        if goal.makes_cluster and election.vote.master != me.node:
            return replace(election, vote=replace(election.vote, master=me.node))
        forgotten = (self.host.read(state.FORGET) or "").strip()
        if goal.verb == "up" and forgotten:
            if self.decision is not None and self.decision.master == forgotten:
                self.host.log.tell(f"agent: forgets the election of {forgotten}")
                election = replace(election, vote=elect.forget(me, election.vote))
            self.host.remove(state.FORGET)
        return election

    def _save(self, after: Election) -> None:
        if after.vote != self.election.vote:
            self.host.write(state.VOTE, f"{write_vote(after.vote)}\n", 0o600)
        self.election = after

    def _was_decided(self, decision: Decision) -> bool:
        """The same outcome as before: its first reason is the one to be kept."""
        before = self.decision
        is_final = decision.verdict in (Verdict.LEAD, Verdict.JOIN)
        return is_final and before is not None and (
            (before.verdict, before.master) == (decision.verdict, decision.master)
        )

    def _tell(self, decision: Decision) -> None:
        """For the commands that wait, and why, once per change."""
        state.write_json(self.host, state.ELECTION, told(decision), 0o644)
        if self.decision is None or decision.verdict != self.decision.verdict:
            self.host.log.tell(f"agent: {decision.verdict.value}: {decision.reason}")
        self.decision = decision


def told(decision: Decision) -> dict[str, str]:
    return {**asdict(decision), "verdict": decision.verdict.value}


def seen(book: Book) -> dict[str, Seen]:
    """Trusted peers that vote; who leaves votes no more."""
    peers = {}
    for node, peer in book.items():
        vote = read_vote(peer.advert.vote)
        if peer.trusted and vote is not None and peer.advert.state != "leaving":
            name = peer.advert.node
            is_master = peer.is_master and peer.advert.endpoint != ""
            rank = read_rank(peer.advert.rank)
            peers[node] = Seen(name, vote, rank, peer.heard, is_master)
    return peers
