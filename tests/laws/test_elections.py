"""Hundreds of elections over bad networks: never two masters where the number of Pis is known.

The long form of these, with the share that elects in time, is tests/bench/elections.py.
"""

from pathlib import Path

from kubepi.decide import assembly, elect
from tests.elections import Elect, Network, World, mutant, random_scene

RUNS = 600
SMALL = (2, 9)
SOURCES = {m.__name__: Path(str(m.__file__)).read_text() for m in (assembly, elect)}


def two_masters(
    rules: Elect, durable: bool = True, sizes: tuple[int, int] = SMALL
) -> int | None:
    """The seed of the first run on a hostile network, with `expect`, in which two nodes led."""
    for seed in range(RUNS):
        world = World(random_scene(seed, sizes, True, None), rules, durable)
        if len(world.run().masters) > 1:
            return seed
    return None


def test_with_expect_there_are_never_two_masters() -> None:
    assert two_masters(elect.elect) is None


def test_without_expect_a_network_that_only_loses_elects_one() -> None:
    for seed in range(RUNS // 4):
        scene = random_scene(seed, SMALL, False, Network(loss=0.3 * (seed % 4) / 3))
        result = World(scene, elect.elect).run()
        assert len(result.masters) == 1, (seed, result.reasons)


def test_with_expect_a_network_that_only_loses_elects_one() -> None:
    for seed in range(RUNS // 4):
        scene = random_scene(seed, SMALL, True, Network(loss=0.5 * (seed % 4) / 3))
        result = World(scene, elect.elect).run()
        assert len(result.masters) == 1, (seed, result.reasons)


def test_a_missing_quorum_is_noticed() -> None:
    rules = mutant(SOURCES, "max(self.expect, len(self.ids)) // 2 + 1", "1")
    assert two_masters(rules) is not None


def test_votes_forgotten_at_a_crash_are_noticed() -> None:
    assert two_masters(elect.elect, durable=False, sizes=(3, 3)) is not None
