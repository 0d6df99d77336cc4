"""Simulated elections: nodes that speak over a bad network, crash and come back.

The same seed is the same run. Everything between the nodes is made up here; what they decide is
`elect` itself. Used by tests/laws/test_elections.py and tests/bench/elections.py.
"""

import heapq
import itertools
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from kubepi.decide.assembly import Candidate, Peers, Seen
from kubepi.decide.elect import Decision, Election, Verdict
from kubepi.decide.votes import Vote

Elect = Callable[[Candidate, Election, Peers, float], tuple[Election, Decision]]
TICK = 1.0
AFTER = 60.0  # seconds after the last start or return for which a run goes on at most


@dataclass(frozen=True)
class Network:
    """Shares of 1 for `loss` and `twice`; `delay`: the longest, in seconds."""

    loss: float = 0.0
    twice: float = 0.0
    delay: float = 0.01
    deaf: frozenset[tuple[int, int]] = frozenset()  # (from, to): nothing passes, ever
    splits: tuple[tuple[float, float, frozenset[int]], ...] = ()  # start, end, one side

    def passes(self, sender: int, hearer: int, now: float, chance: random.Random) -> bool:
        if (sender, hearer) in self.deaf or chance.random() < self.loss:
            return False
        return all(
            not start <= now < end or (sender in side) == (hearer in side)
            for start, end, side in self.splits
        )


@dataclass(frozen=True)
class Scene:
    """One run: when each node starts, who crashes at what time and is back at what other."""

    seed: int
    starts: tuple[float, ...]
    expect: int
    network: Network
    crashes: tuple[tuple[int, float, float], ...] = ()

    @property
    def last_change(self) -> float:
        ends = [end for _, end, _ in self.network.splits]
        return max(*self.starts, *ends, *(back for _, _, back in self.crashes), 0.0)


@dataclass
class Result:
    """`masters`: every node that ever led; `at`: when the first did, in seconds after the start."""

    masters: set[int] = field(default_factory=set)
    at: float | None = None
    reasons: list[str] = field(default_factory=list)


@dataclass
class Node:
    me: Candidate
    election: Election = field(default_factory=Election)
    peers: dict[str, Seen] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    number: int = 0
    on: bool = False
    life: int = 0
    decision: Decision = field(default_factory=lambda: Decision(Verdict.WAIT, "is off"))


class World:
    """Events in the order of their time: starts, crashes, ticks, and adverts that arrive."""

    def __init__(self, scene: Scene, elect: Elect, durable: bool = True) -> None:
        self.scene, self.elect, self.durable = scene, elect, durable
        self.chance = random.Random(scene.seed)
        ranks = [(1, self.chance.randrange(2), self.chance.randrange(3)) for _ in scene.starts]
        self.nodes = [
            Node(Candidate(f"{number:04x}", f"pi{number}", rank, scene.expect))
            for number, rank in enumerate(ranks)
        ]
        self.result = Result()
        self.order = itertools.count()
        self.events: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, time: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (time, next(self.order), what))

    def run(self) -> Result:
        for number, time in enumerate(self.scene.starts):
            self.at(time, partial(self.switch_on, number))
        for number, crash, back in self.scene.crashes:
            self.at(crash, partial(self.switch_off, number))
            self.at(back, partial(self.switch_on, number))
        end = self.scene.last_change + AFTER
        while self.events and self.events[0][0] < end and not self.is_over():
            now, _, what = heapq.heappop(self.events)
            what(now)
        self.result.reasons = [f"{n.me.name}: {n.decision.reason}" for n in self.nodes]
        return self.result

    def is_over(self) -> bool:
        """Everybody who is to come is there, and in one of the clusters."""
        done = (Verdict.LEAD, Verdict.JOIN, Verdict.STOP)
        return all(node.on and node.decision.verdict in done for node in self.nodes) and not any(
            crash > self.events[0][0] for _, crash, _ in self.scene.crashes
        )

    def switch_on(self, number: int, now: float) -> None:
        node = self.nodes[number]
        if node.on:
            return
        node.on, node.life = True, node.life + 1
        node.election = Election(node.election.vote if self.durable else Vote(), new_at=now)
        node.peers, node.numbers = {}, {}
        self.tick(number, node.life, now)

    def switch_off(self, number: int, now: float) -> None:
        self.nodes[number].on = False

    def tick(self, number: int, life: int, now: float) -> None:
        node = self.nodes[number]
        if not node.on or node.life != life:
            return
        self.look(number, now)
        self.speak(number, now)
        pause = TICK * self.chance.uniform(0.9, 1.1)
        self.at(now + pause, partial(self.tick, number, life))

    def look(self, number: int, now: float) -> None:
        node = self.nodes[number]
        node.election, node.decision = self.elect(node.me, node.election, node.peers, now)
        if node.decision.verdict is Verdict.LEAD:
            self.result.masters.add(number)
            if self.result.at is None:
                self.result.at = now

    def speak(self, number: int, now: float) -> None:
        node, network = self.nodes[number], self.scene.network
        node.number += 1
        said = (node.number, node.election.vote)
        for hearer in range(len(self.nodes)):
            if hearer == number:
                continue
            for _ in range(1 + (self.chance.random() < network.twice)):
                if network.passes(number, hearer, now, self.chance):
                    delay = self.chance.uniform(0, network.delay)
                    self.at(now + delay, self.arrival(number, hearer, said))

    def arrival(self, sender: int, hearer: int, said: tuple[int, Vote]) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            node, about = self.nodes[hearer], self.nodes[sender].me
            if not node.on or said[0] <= node.numbers.get(about.node, 0):
                return
            node.numbers[about.node] = said[0]
            before = node.peers.get(about.node)
            node.peers[about.node] = Seen(about.name, said[1], about.rank, now)
            if before is not None and before.vote == said[1]:
                return
            vote = node.election.vote
            self.look(hearer, now)
            if node.election.vote != vote:
                self.speak(hearer, now)

        return arrive


def hostile(chance: random.Random, nodes: int) -> Network:
    """Loss up to half, delays of seconds, one-way links, and cuts of the network that heal."""
    pairs = [pair for pair in itertools.permutations(range(nodes), 2) if chance.random() < 0.1]
    splits = []
    for _ in range(chance.randrange(3)):
        start = chance.uniform(0, 30)
        side = frozenset(n for n in range(nodes) if chance.random() < 0.5)
        splits.append((start, start + chance.uniform(1, 30), side))
    return Network(
        chance.uniform(0, 0.5), chance.uniform(0, 0.3), chance.choice([0.01, 0.5, 5.0]),
        frozenset(pairs), tuple(splits),
    )  # fmt: skip


def random_scene(
    seed: int, sizes: tuple[int, int], expected: bool, network: Network | None
) -> Scene:
    """`network` None: a hostile one. Nodes start late, crash and come back, with their disks."""
    chance = random.Random(f"scene {seed}")
    nodes = chance.randint(*sizes)
    starts = tuple(chance.choice([0.0, 0.0, 1.0, 20.0]) * chance.random() for _ in range(nodes))
    crashes = []
    if network is None:
        for number in range(nodes):
            if chance.random() < 0.3:
                crash = starts[number] + chance.uniform(0, 30)
                crashes.append((number, crash, crash + chance.uniform(0.5, 30)))
    return Scene(
        seed, starts, nodes if expected else 0,
        hostile(chance, nodes) if network is None else network, tuple(crashes),
    )  # fmt: skip


def mutant(sources: Mapping[str, str], old: str, new: str) -> Elect:
    """`elect` with a bug put in on purpose: `old`, once in its two modules, becomes `new`."""
    text = "\n".join(sources.values())
    assert text.count(old) == 1, old
    names: dict[str, object] = {"__name__": "mutant"}
    # one namespace for both: what the second imports from the first is there already
    imported = re.compile(r"^from kubepi\.decide\.assembly import .*$", re.MULTILINE)
    for source in sources.values():
        exec(compile(imported.sub("", source.replace(old, new)), "mutant", "exec"), names)
    names["Verdict"] = Verdict  # the one that World knows
    return names["elect"]  # type: ignore[return-value]
