"""The way by the internet, and what can be wrong on it: pi7 meets it all, and arrives at last.

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
from walk import arrive, by_proxy, wait_for_the_lock

pytestmark = pytest.mark.lab
NODE, BEHIND_PROXY = "pi7", "pi8"
JOIN = ("join", "--token-file", "/root/token")
LOCKED_SECONDS = 15.0


@pytest.fixture(scope="module")
def internet(pis: Pis) -> Iterator[Internet]:
    kit = find_kit(this_clone(), None)
    assert kit is not None
    token = pis.token()
    with Internet(Path(kit)) as internet:
        for node in (NODE, BEHIND_PROXY):
            pis.write(node, "/root/token", token)
            internet.give_to(pis, node)
        yield internet
    pis.ask(NODE, "kubepi", "reset", "--yes")


@pytest.fixture(scope="module")
def scene(pis: Pis, internet: Internet) -> Scene:
    return Scene(pis, internet, NODE, JOIN)


def test_the_lock_of_apt_is_waited_out_and_its_holder_is_named(scene: Scene) -> None:
    assert wait_for_the_lock(scene, LOCKED_SECONDS) == []


@pytest.mark.parametrize(
    "trouble", [trouble for trouble in TROUBLES[1:] if not trouble.is_long], ids=lambda it: it.name
)
def test_each_trouble_has_a_sentence_of_its_own(scene: Scene, trouble: Trouble) -> None:
    assert trouble.meet(scene) == []


def test_the_same_command_goes_on_and_arrives(scene: Scene) -> None:
    """Over a slow line."""
    assert arrive(scene) == []


def test_the_environment_names_a_proxy_for_packages_and_images(
    pis: Pis, internet: Internet
) -> None:
    assert by_proxy(Scene(pis, internet, BEHIND_PROXY, JOIN)) == []


def test_reset_takes_source_key_mirrors_and_proxy_away(pis: Pis, internet: Internet) -> None:
    pis.ask(BEHIND_PROXY, "kubepi", "reset", "--yes")
    places = "/etc/apt /etc/containerd /etc/systemd"
    left = f"find {places} -name '*kubepi*' -o -name certs.d 2>/dev/null || true"
    assert pis.ask(BEHIND_PROXY, "sh", "-c", left) == ""
