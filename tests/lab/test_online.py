"""The way by the internet, and what can be wrong on it, on one spare Pi; the last test arrives.

Every trouble on both releases is in the long form (test_releases.py).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from internet import Internet
from labclone import this_clone
from labnodes import find_kit
from pis import Pis
from troubles import TROUBLES, Scene, Trouble
from walk import arrive, wait_for_the_lock

pytestmark = pytest.mark.lab
NODE = "pi7"
LOCKED_SECONDS = 15.0


@pytest.fixture(scope="module")
def scene(pis: Pis) -> Iterator[Scene]:
    kit = find_kit(this_clone(), None)
    assert kit is not None
    pis.write(NODE, "/root/token", pis.token())
    with Internet(Path(kit)) as internet:
        internet.give_to(pis, NODE)
        yield Scene(pis, internet, NODE, ("join", "--token-file", "/root/token"))
    pis.run(NODE, "kubepi", "reset", "--yes")


def test_the_lock_of_apt_is_waited_out_and_its_holder_is_named(scene: Scene) -> None:
    assert wait_for_the_lock(scene, LOCKED_SECONDS) == []


@pytest.mark.parametrize(
    "trouble", [trouble for trouble in TROUBLES[1:] if not trouble.is_long], ids=lambda it: it.name
)
def test_each_trouble_has_a_sentence_of_its_own(scene: Scene, trouble: Trouble) -> None:
    assert trouble.complaints(scene) == []


def test_the_same_command_goes_on_and_arrives(scene: Scene) -> None:
    """By a proxy, over a slow line."""
    assert arrive(scene) == []
