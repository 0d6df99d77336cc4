"""What the agent remembers between two ticks, and what it says, hears and writes down.

May touch: /run/kubepi/peers.json, the known peers, the time seen last, kubepi's block in
/etc/hosts.
Tests: tests/unit/test_agent.py; the loop that drives it is in loop.py.
"""

import asyncio
from dataclasses import asdict, dataclass, field, replace

from kubepi.agent.addressing import Addressing
from kubepi.agent.console import Console
from kubepi.agent.duties import Duties
from kubepi.agent.following import Following
from kubepi.agent.led import Led
from kubepi.agent.living import Living
from kubepi.agent.obeying import Obeying
from kubepi.agent.placing import Placing
from kubepi.agent.renewing import Renewing
from kubepi.agent.replaced import Replaced
from kubepi.agent.rotating import Rotating
from kubepi.agent.tidying import Tidying
from kubepi.agent.voice import Sequence, compose, node_id
from kubepi.agent.voter import Voter
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.credentials import advert_key
from kubepi.decide.disabled import DISABLED, DISABLING, ENABLING, OFF, SERVING
from kubepi.decide.elect import Verdict
from kubepi.decide.facts import Facts
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.hosts import HOSTS, address_of, api_address, host_lines, other_apis
from kubepi.decide.peerbook import (
    Book,
    earlier_cards,
    find_master,
    forget_strangers,
    note,
)
from kubepi.decide.upgrade import UPGRADING
from kubepi.decide.votes import write_rank, write_vote
from kubepi.decide.wish import FORGET, parse_wish
from kubepi.lan.peers import CA, OWN, PEERS, to_json
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.clock import last_seen
from kubepi.steps.names import keep_names

TICK = 1.0
MOST_A_SECOND = 25  # adverts of all peers, when nobody has news: each is read by every Pi
SETTLED = 60.0  # seconds between adverts of a node that is where it should be
AWAITED = 5.0  # of one that is disabled: others wait to hear of it
MOVING = {
    "electing", "joining", "starting", "leaving", DISABLING, ENABLING, OFF, SERVING, UPGRADING
}  # fmt: skip
LAST_SEEN_EVERY = 600.0  # seconds; each is a write to the SD card
TOLD_AT_ONCE = 3  # of the peers that elect or join, with each advert
TELL_ALL = 60.0  # seconds for which all known peers are told where this node is


@dataclass
class Agent:
    """All that the agent remembers between two ticks."""

    host: Host
    facts: Facts
    book: Book = field(default_factory=dict)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    said: Advert | None = None
    said_at: float = 0.0
    looked_at: float = 0.0
    record: bytes = b""
    decision: str = ""
    turn: int = 0
    forgot: str = ""  # the number of our own wish

    def __post_init__(self) -> None:
        self.own_id = node_id(self.host)
        self.sequence = Sequence(self.host)
        self.duties = Duties(self.host)
        self.following = Following(self.host)
        self.obeying = Obeying(self.host)
        self.placing = Placing(self.host)
        self.tidying = Tidying(self.host)
        self.addressing = Addressing(self.host)
        self.replaced = Replaced(self.host, self.own_id)
        self.renewing = Renewing(self.host)
        self.rotating = Rotating(self.host, self.own_id)
        self.rotating.begin()
        self.voter = Voter(self.host, self.own_id)
        self.living = Living(self.host)
        self.led = Led(self.host)
        self.console = Console(self.host)
        self.seen = last_seen(self.host)
        self.tell_all = self.host.monotonic() + TELL_ALL
        self.heard = asyncio.Event()
        named = state.known_nodes(self.host)
        self.known = self.rotating.with_waited(named)
        if self.known != named:
            state.write_json(self.host, state.KNOWN, self.known)
        self.written: Book | None = None

    def key(self) -> bytes | None:
        token = state.read_secret(self.host, TOKEN)
        return None if token is None else advert_key(token)

    def hear(self, record: bytes) -> None:
        self.replaced.hear(record, self.key())
        before = self.voters()
        why = self.rotating.judge(record, self.known)
        book = note(self.book, record, why, self.own_id, self.host.monotonic())
        if book is not self.book:
            self.book = book
            self.replaced.look(book)
        if self.voters() != before:
            self.heard.set()

    def voters(self) -> dict[str, str]:
        """What an election goes by; a change of it is answered at once."""
        return {name: peer.advert.vote for name, peer in self.book.items() if peer.trusted}

    def vote(self, goal: Goal | None) -> None:
        if goal is not None and goal.verb != "reset":
            self.voter.look(goal, self.facts, self.book)

    def address(self) -> str:
        goal = state.load_goal(self.host)
        if goal is not None and goal.settings["node.address"]:
            return str(goal.settings["node.address"])
        return "" if self.facts.network is None else self.facts.network.address

    def news(self) -> bytes | None:
        """A new record if there is something to say now."""
        if self.replaced.is_silent():
            self.record = b""  # no answer to who asks either
            self.host.remove(OWN)
            return None
        now = self.host.monotonic()
        vote, rank = write_vote(self.voter.election.vote), write_rank(self.voter.rank)
        advert = compose(self.host, self.facts, self.address(), 0, vote, rank)
        moving = advert.state in MOVING
        quiet = None if self.said is None else replace(self.said, sequence=0, time=advert.time)
        due = max(TICK, len(self.book) / MOST_A_SECOND) if moving else SETTLED
        if advert.state == DISABLED:
            due = AWAITED
        if advert == quiet and now - self.said_at < due:
            return None
        self.said = replace(advert, sequence=self.sequence.next())
        self.said_at = now
        state.write_json(self.host, OWN, asdict(self.said), 0o644)
        signed = self.rotating.sign(self.said)
        # without a token nobody can believe us; we are still seen by `nodes`
        self.record = signed or encode(self.said, self.host.random("no key", 32))
        return self.record

    def keep_time(self) -> None:
        """The clock of a Pi without one of its own goes on from here after a power cut."""
        now = self.host.now()
        if now > self.seen + LAST_SEEN_EVERY and state.load_goal(self.host) is not None:
            self.host.write(state.LAST_SEEN, f"{now:.0f}\n", 0o600)
            self.seen = now

    def blink(self) -> None:
        """LED and console show what the advert says, the LED also a decision to stop."""
        stops = self.voter.decision is not None and self.voter.decision.verdict is Verdict.STOP
        self.led.show("stop" if stops else "" if self.said is None else self.said.state)
        if self.said is not None:
            self.console.show(self.said)

    def own(self) -> bytes:
        return self.record

    def whom_to_ask(self, goal: Goal | None) -> list[str]:
        """Addresses asked directly: the configured ones, and known peers that fell silent."""
        seeds = [] if goal is None else list(goal.settings["cluster.seeds"])
        heard = {peer.advert.address for peer in self.book.values() if peer.trusted}
        silent = {address for _, address in self.known.values()} - heard
        return sorted({*seeds, *silent} - {""})

    def whom_to_tell(self) -> list[str]:
        """A few of those that elect or join, in turn: multicast may reach us and not them.

        For a while after the start, or with another address, also all that were ever known.
        """
        now = self.host.monotonic()
        waiting = sorted(
            peer.advert.address
            for peer in self.book.values()
            if peer.trusted and peer.advert.state in ("electing", "joining")
            and peer.advert.address and not peer.is_silent(now)
        )  # fmt: skip
        self.turn += TOLD_AT_ONCE
        start = self.turn % max(len(waiting), 1)
        few = [*waiting[start:], *waiting[:start]][:TOLD_AT_ONCE]
        known = {address for _, address in self.known.values()} if now < self.tell_all else set()
        return [*few, *sorted(known - {*few, ""})]

    def write_down(self) -> None:
        """Peers for the other commands, known peers for the next boot."""
        now = self.host.monotonic()
        self.book = forget_strangers(self.book, now)
        newer = self.rotating.newer()
        told = {name: about for one in newer for name, about in one.waiting.items()}
        gone = self.duties.returning.forgotten | self._forgotten()
        gone |= earlier_cards(self.book, {**told, **self.known}, self.said, now)
        self.book = {name: peer for name, peer in self.book.items() if name not in gone}
        if self.book != self.written:
            state.write_json(self.host, PEERS, to_json(self.book), 0o644)
            self.written = self.book
        known = {n: about for n, about in {**told, **self.known}.items() if n not in gone}
        for name, peer in self.book.items():
            if peer.trusted and peer.advert.state == "leaving":
                known.pop(name, None)
            elif peer.trusted and peer.advert.address:
                known[name] = (peer.advert.node, peer.advert.address)
        if known != self.known:
            # a cut between two of these leaves nobody who is waited for and has no name here
            self.rotating.settle(set(self.known) - set(known))
            state.write_json(self.host, state.KNOWN, known)
            self.known = known
        self.rotating.follow(newer, known)

    def _forgotten(self) -> set[str]:
        """Ids of nodes that a wish names, another's or our own; one that speaks again is back."""
        names, self.obeying.forgotten = self.obeying.forgotten, set()
        wish = parse_wish(self.said.wish) if self.said is not None else None
        if wish is not None and wish.verb == FORGET and wish.number != self.forgot:
            self.forgot = wish.number
            names |= set(wish.targets)
        heard = {name for name, peer in self.book.items() if peer.advert.node in names}
        return heard | {name for name, (node, _) in self.known.items() if node in names}

    def apis(self, goal: Goal) -> tuple[str, list[str]]:
        """The own address if this is a master, and those of the others of its control plane."""
        was_master = goal.role == "master" and self.host.exists(state.WAS_MASTER)
        is_master = goal.makes_cluster or was_master
        own_ca = ca_hash(self.host.read(CA) or "")
        return self.address() if is_master else "", other_apis(self.book, own_ca)

    def keep_names(self, goal: Goal) -> None:
        own, others = self.apis(goal)
        now = address_of(goal.api_name, self.host.read(HOSTS) or "")
        api = api_address(own, others, self.living.ready, now)
        lines = host_lines(goal.api_name, api, self.book, self.known)
        # nobody heard yet, after a boot: what is in the file is better than nothing
        if not any(goal.api_name in line for line in lines):
            return
        if keep_names(self.host, lines):
            self.host.log.tell(f"agent: names in {HOSTS}: {'; '.join(lines)}")

    def log_decision(self, goal: Goal | None) -> None:
        """Which master, or why none: once per change."""
        if goal is None or goal.verb != "join":
            return
        found = find_master(self.book.values(), self.host.monotonic())
        word = found.sentence if found.master is None else f"master is {found.master.advert.node}"
        if word != self.decision:
            self.decision = word
            self.host.log.tell(f"agent: {word}")
