"""The token is changed over bad networks, with power cuts and nodes that are off: nobody is lost.

tests/rotations.py simulates; what it holds is the product's own.
"""

import random
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from kubepi.decide import rotation
from kubepi.decide.rotation import Tokens
from tests.rotations import Scene, World, mutant

RUNS = 40


def random_knowledge(chance: random.Random, size: int) -> tuple[frozenset[int], ...]:
    """Each came while some of the others were off: who was on when one came knows it, and it him.

    But for that all would know all.
    """
    known: list[set[int]] = [set() for _ in range(size)]
    for number in range(1, size):
        there = [other for other in range(number) if chance.random() < 0.5]
        for other in there or [chance.randrange(number)]:
            known[number].add(other)
            known[other].add(number)
    return tuple(frozenset(one) for one in known)


def random_scene(
    seed: int, changes: int, at_once: bool = False, joins: bool = False
) -> Scene:
    """With `at_once`, the network falls in two halves, and in each somebody changes the token.

    With `joins` one comes later, with a typed token, and changes it once.
    """
    chance = random.Random(seed)
    size = chance.randrange(2, 7)
    typed = tuple((chance.uniform(0, 60 * changes), chance.randrange(size)) for _ in range(changes))
    off = []
    for number in range(size):
        if chance.random() < 0.4:
            start = chance.uniform(0, 60 * changes)
            off.append((number, start, start + chance.uniform(1, 100)))
    halves = None
    if at_once:
        side = frozenset(range(max(1, size // 2)))
        typed = ((20.0, 0), (20.0 + chance.uniform(0, 5), size - 1))
        off = [entry for entry in off if entry[0] not in (0, size - 1)]
        halves = (10.0, chance.uniform(30, 90), side)
    loss = chance.choice((0.0, 0.3, 0.6))
    if at_once:
        return Scene(seed, size, loss, 0.3, typed, tuple(off), halves)
    known = random_knowledge(chance, size)
    struck = chance.choice((None, chance.uniform(0, 60 * changes)))
    scene = Scene(seed, size, loss, 0.3, typed, tuple(off), known=known, struck=struck)
    if not joins:
        return scene
    time, by = chance.uniform(0, 60 * changes), chance.randrange(size)
    later = (time + chance.uniform(5, 60), size)
    return replace(
        scene, size=size + 1, joins=((size, time, by),), changes=(*typed, later)
    )


def everybody_has_the_same(world: World) -> bool:
    first = world.nodes[0].tokens
    same = all(node.tokens.mark == first.mark for node in world.nodes)
    return same and not any(node.tokens.before for node in world.nodes) and not world.strangers()


def stranger(rules: ModuleType) -> int | None:
    """The seed of the first run in which a node does not believe another one, at some moment."""
    for seed in range(RUNS):
        states: list[Tokens] = []
        lost: list[tuple[str, str]] = []

        def look(world: World, states: list[Tokens] = states, lost: list[Any] = lost) -> None:
            now = [node.tokens for node in world.nodes]
            if now != states:
                states[:] = now
                lost += world.strangers()

        World(random_scene(seed, 1), rules).run(look)
        if lost:
            return seed
    return None


def test_at_no_moment_is_there_a_node_that_another_does_not_believe() -> None:
    assert stranger(rotation) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("waiting = tokens.waiting - set(gone)", "waiting = frozenset()"),
        ("offer.number, by, frozenset(known)", "offer.number, by, frozenset()"),
        ("tokens.number + 1, tokens.token, frozenset(known)", "tokens.number + 1"),
    ],
    ids=["the old one given up at once", "nobody waited for", "no old one kept"],
)
def test_a_rule_less_is_noticed(old: str, new: str) -> None:
    assert stranger(mutant(old, new)) is not None


def test_in_the_end_all_have_the_new_one_and_none_the_old_one() -> None:
    changed = 0
    for seed in range(RUNS):
        world = World(random_scene(seed, 1)).run()
        assert everybody_has_the_same(world), world.scene
        changed += world.nodes[0].tokens.number > 1
    assert changed > RUNS / 2


def test_one_change_after_the_other() -> None:
    most = 0
    for seed in range(RUNS):
        world = World(random_scene(seed, 4)).run()
        assert everybody_has_the_same(world), world.scene
        most = max(most, world.nodes[0].tokens.number)
    assert most > 2


def test_one_that_joined_with_the_new_token_changes_it_again() -> None:
    """While another is off that has the first token still."""
    most = 0
    for seed in range(RUNS):
        world = World(random_scene(seed, 1, joins=True)).run()
        assert everybody_has_the_same(world), world.scene
        most = max(most, world.nodes[0].tokens.number)
    assert most > 2


def test_a_second_change_that_waits_for_nobody_is_noticed() -> None:
    """2 is off until the end; 3 joins with the second token, and makes a third."""
    scene = Scene(
        1, 4, 0.0, 0.0, ((5.0, 0), (60.0, 3)), ((2, 0.5, 120.0),), joins=((3, 20.0, 0),),
        known=(frozenset({1, 2}), frozenset({0, 2}), frozenset({0, 1})),
    )  # fmt: skip
    assert everybody_has_the_same(World(scene).run())
    rules = mutant("return by == (tokens.before or tokens.token)", "return True")
    assert not everybody_has_the_same(World(scene, rules).run())
    rules = mutant("trust not in (Trust.OURS, Trust.AHEAD)", "trust is not Trust.OURS")
    lost = (World(random_scene(seed, 1, joins=True), rules).run() for seed in range(RUNS))
    assert not all(everybody_has_the_same(world) for world in lost)


def test_two_changes_at_once_in_two_halves_of_a_network_become_one() -> None:
    for seed in range(RUNS):
        world = World(random_scene(seed, 2, at_once=True)).run()
        assert everybody_has_the_same(world), world.scene


def test_the_old_one_is_kept_for_a_node_that_is_off_until_it_is_forgotten() -> None:
    world = World(Scene(1, 3, 0.0, 0.0, ((5.0, 0),)))
    world.switch_off(2, 0.0)
    world.run()
    kept = [node.tokens for node in world.nodes[:2]]
    assert all(tokens.before and tokens.waiting == {"0002"} for tokens in kept)
    assert [rotation.settle(tokens, {"0002"}).before for tokens in kept] == ["", ""]


def test_who_joined_while_one_was_off_waits_for_it_as_well() -> None:
    """1 knows 0 alone; 2 was off when it came. It changes the token, or gets it changed."""
    known = (frozenset({1, 2}), frozenset({0}), frozenset({0}))
    for typed in (0, 1):
        for seed in range(RUNS):
            scene = Scene(seed, 3, 0.3, 0.3, ((5.0, typed),), ((2, 0.5, 80.0),), known=known)
            assert everybody_has_the_same(World(scene).run()), scene
