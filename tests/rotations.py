"""Simulated changes of the token: nodes over a bad network, some off, with power cuts.

The same seed is the same run. Signing, trust and what is kept are the product's own; what is made
up is the network, the disks (a write is there or not) and who is on. Used by
tests/laws/test_rotations.py.
"""

import heapq
import itertools
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType

from kubepi.decide import rotation
from kubepi.decide.adverts import Advert, decode, encode
from kubepi.decide.credentials import advert_key
from kubepi.decide.rotation import Tokens
from kubepi.errors import UsageError

TICK, AFTER, JOINING = 2.0, 60.0, 20.0  # seconds
STALE = "ffff"


@dataclass
class Node:
    """`tokens`, `known` and `number` are on its disk; what it heard is not.

    `known` grows by what is heard and told; a stale id in it is that of a card that is no more.
    """

    name: str
    tokens: Tokens
    known: set[str]
    number: int = 0
    on: bool = True
    life: int = 0
    sequences: dict[str, int] = field(default_factory=dict)

    def record(self) -> bytes:
        tokens = self.tokens
        before = advert_key(tokens.before) if tokens.before else None
        advert = Advert(node_id=self.name, token=tokens.word, sequence=self.number)
        return encode(advert, advert_key(tokens.token), before)


@dataclass(frozen=True)
class Scene:
    """Times in seconds; `cuts`: the share of changes of the disk at which the power goes.

    `known`: whom each node knows at the start, all others by default. `joins`: who comes later,
    when, with the token of which node typed in. `struck`: from when on each node strikes STALE,
    which all of the start know then.
    """

    seed: int
    size: int
    loss: float
    cuts: float
    changes: tuple[tuple[float, int], ...]  # when, and on which node `token rotate` is typed
    off: tuple[tuple[int, float, float], ...] = ()
    halves: tuple[float, float, frozenset[int]] | None = None
    known: tuple[frozenset[int], ...] = ()
    joins: tuple[tuple[int, float, int], ...] = ()
    struck: float | None = None

    @property
    def calm(self) -> float:
        """From here on nobody goes off, and nothing is lost but by chance."""
        times = [time for time, _ in self.changes] + [back for _, _, back in self.off]
        times += [self.halves[1] if self.halves else 0.0, self.struck or 0.0]
        return max([*times, *(time for _, time, _ in self.joins)])


def mutant(old: str, new: str) -> ModuleType:
    """The rules with one place of them changed: what the simulation has to notice."""
    source = Path(str(rotation.__file__)).read_text()
    assert source.count(old) == 1, old
    found = ModuleType("mutant")
    sys.modules["mutant"] = found  # where dataclasses look for the names of types
    exec(source.replace(old, new), found.__dict__)
    return found


class World:
    def __init__(self, scene: Scene, rules: ModuleType = rotation) -> None:
        self.scene, self.chance, self.rules = scene, random.Random(scene.seed), rules
        names = [f"{number:04x}" for number in range(scene.size)]
        self.nodes = [Node(n, rules.Tokens("first token"), set(names) - {n}) for n in names]
        for node, known in zip(self.nodes, scene.known, strict=False):
            node.known = {names[number] for number in known}
        for number, _, _ in scene.joins:
            self.nodes[number] = Node(names[number], rules.Tokens("none yet"), set(), on=False)
        for node in self.nodes:
            node.known |= {STALE} if scene.struck is not None and node.on else set()
        self.made = itertools.count(1)
        self.order = itertools.count()
        self.events: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, time: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (time, next(self.order), what))

    def run(self, each_time: Callable[["World"], None] = lambda world: None) -> "World":
        for number, node in enumerate(self.nodes):
            if node.on:
                self.at(self.chance.random(), partial(self.tick, number, 0))
        for number, time, by in self.scene.joins:
            self.at(time, partial(self.join, number, by))
        for time, number in self.scene.changes:
            self.at(time, partial(self.rotate, number))
        for number, off, back in self.scene.off:
            self.at(off, partial(self.switch_off, number))
            self.at(back, partial(self.switch_on, number))
        while self.events and self.events[0][0] < self.scene.calm + AFTER:
            now, _, what = heapq.heappop(self.events)
            what(now)
            each_time(self)
        return self

    # --- one node -----------------------------------------------------------------------------

    def switch_off(self, number: int, now: float) -> None:
        node = self.nodes[number]
        node.on, node.life, node.sequences = False, node.life + 1, {}

    def join(self, number: int, by: int, now: float) -> None:
        """Somebody types in what `token show` says on the node `by`, until it is a member."""
        node, shows = self.nodes[number], self.nodes[by]
        if self.is_member(node):
            return
        if shows.on and node.tokens.token != shows.tokens.token:
            node.tokens = self.rules.Tokens(shows.tokens.token)
            self.switch_on(number, now)
        self.at(now + JOINING, partial(self.join, number, by))

    def is_member(self, node: Node) -> bool:
        others = [other for other in self.nodes if other.name in node.known]
        return any(node.name in other.known for other in others)

    def switch_on(self, number: int, now: float) -> None:
        node = self.nodes[number]
        if not node.on:
            node.on, node.life = True, node.life + 1
            self.tick(number, node.life, now)

    def keep(self, number: int, tokens: Tokens, now: float) -> None:
        """On the disk whole or not at all; the power may go before it, or after it."""
        node = self.nodes[number]
        if tokens == node.tokens:
            return
        cut = self.chance.random() < self.scene.cuts and now < self.scene.calm
        if not cut or self.chance.random() < 0.5:
            node.tokens = tokens
        if cut:
            self.switch_off(number, now)
            self.at(now + self.chance.uniform(1, 30), partial(self.switch_on, number))

    def rotate(self, number: int, now: float) -> None:
        node = self.nodes[number]
        if not node.on or not self.is_member(node):
            return
        try:
            after = self.rules.begin(node.tokens, f"token {next(self.made)}", node.known)
        except UsageError:
            return
        self.keep(number, after, now)

    def tick(self, number: int, life: int, now: float) -> None:
        node = self.nodes[number]
        if not node.on or node.life != life:
            return
        if self.scene.struck is not None and now >= self.scene.struck and STALE in node.known:
            self.keep(number, self.rules.settle(node.tokens, {STALE}), now)
            if not node.on:
                return
            node.known.discard(STALE)
        node.number += 1
        for other in range(len(self.nodes)):
            if other != number and self.passes(number, other, now):
                delay = self.chance.uniform(0, 2)
                self.at(now + delay, partial(self.hear, other, number, node.record()))
        self.at(now + TICK * self.chance.uniform(0.9, 1.1), partial(self.tick, number, life))

    def passes(self, sender: int, hearer: int, now: float) -> bool:
        if self.chance.random() < self.scene.loss:
            return False
        halves = self.scene.halves
        apart = halves is not None and halves[0] <= now < halves[1]
        return not apart or halves is None or (sender in halves[2]) == (hearer in halves[2])

    def hear(self, number: int, sender: int, record: bytes, now: float) -> None:
        node, advert = self.nodes[number], decode(record)
        assert advert is not None
        if not node.on:
            return
        trust = self.rules.judge(node.tokens, record, advert.node_id, node.known)
        last = node.sequences.get(advert.node_id, 0)
        if trust is self.rules.Trust.NOT or advert.sequence <= last:
            return
        node.sequences[advert.node_id] = advert.sequence
        node.known.add(advert.node_id)
        self.keep(number, self.rules.heard(node.tokens, trust, advert.node_id, advert.token), now)
        by = self.rules.to_ask_with(node.tokens, trust, advert.token)
        if by is not None and self.passes(number, sender, now):
            delay = self.chance.uniform(0, 2)
            self.at(now + delay, partial(self.ask, number, sender, by, node.life))

    def ask(self, number: int, asked: int, by: str, life: int, now: float) -> None:
        """What goes through the depot: it opens for the token of the one who asks, or not."""
        node, server = self.nodes[number], self.nodes[asked].tokens
        if not self.nodes[asked].on or by not in (server.token, server.before):
            return
        if not node.on or node.life != life:
            return
        have = frozenset(self.nodes[asked].known - server.waiting)
        offer = self.rules.Offer(server.token, server.number, have)
        if self.rules.follow(node.tokens, offer, (), by) == node.tokens:
            return
        # first on the disk, so that the power may go between the two
        node.known |= server.waiting - {node.name}
        self.keep(number, self.rules.follow(node.tokens, offer, node.known, by), now)

    # --- what is seen of all ------------------------------------------------------------------

    def strangers(self) -> list[tuple[str, str]]:
        """Pairs that know each other, and the one does not believe the other, on or not."""
        return [
            (hearer.name, sender.name)
            for hearer, sender in itertools.permutations(self.nodes, 2)
            if sender.name in hearer.known and hearer.name in sender.known
            if self.rules.judge(hearer.tokens, sender.record(), sender.name, hearer.known)
            is self.rules.Trust.NOT
        ]
