"""commands/rolling.py: who comes when, who is asked, and how a node that fails ends it."""

import json
from pathlib import Path

import pytest

from kubepi.commands import upgrade
from kubepi.commands.rolling import SILENCE, in_order, watch
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from tests.fakes import FakePi
from tests.unit.test_upgrade_command import typed
from tests.upgrade_scene import NEW, OLD, old_node


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


def hears(pi: FakePi, word: str, progress: str = "", version: str = OLD) -> None:
    advert = Advert(
        node="pi2", node_id="2", role="worker", state=word, progress=progress, kubernetes=version
    )
    pi.put(PEERS, json.dumps(to_json({"2": Peer(advert, True, pi.monotonic())})))


def test_masters_first_and_of_its_kind_this_node_last() -> None:
    roles = {"pi1": "worker", "pi2": "master", "pi3": "worker", "pi4": "master"}
    assert in_order(roles, "pi1", "") == ["pi2", "pi4", "pi3", "pi1"]
    assert in_order(roles, "pi2", "") == ["pi4", "pi2", "pi1", "pi3"]
    assert in_order(roles, "pi2", "pi2") == ["pi2", "pi4", "pi1", "pi3"], "it made the cluster"


def test_a_node_that_may_boot_comes_last_where_the_command_was_typed() -> None:
    roles = {"pi1": "master", "pi2": "master", "pi3": "worker"}
    assert in_order(roles, "pi1", "pi1", may_boot=True) == ["pi2", "pi3", "pi1"]
    assert in_order(roles, "pi2", "pi1", may_boot=True) == ["pi1", "pi3", "pi2"]


def test_what_was_begun_ends_before_another_master_goes_down() -> None:
    """After a power cut of the node that asked: two masters of three may not boot at once."""
    roles = dict.fromkeys(("pi1", "pi2", "pi3"), "master")
    assert in_order(roles, "pi1", "pi1", {"pi3"}) == ["pi3", "pi1", "pi2"]
    assert in_order(roles, "pi1", "pi1", {"pi1"}, may_boot=True) == ["pi1", "pi2", "pi3"]
    assert in_order(roles, "pi1", "pi1", {"pi2", "pi1"}, may_boot=True) == ["pi2", "pi1", "pi3"]


def test_who_is_at_it_is_seen_in_the_adverts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = old_node(tmp_path / "pi")
    hears(pi, "upgrading", "failed: dpkg fails at x")
    args = typed(all=True, os=True, dry_run=True)
    assert upgrade.run(args, pi) == 0
    what = "would upgrade {}: Debian's packages"
    rows = capsys.readouterr().out.splitlines()
    assert rows == [what.format("pi2 (worker)"), what.format("pi7 (master)")]
    hears(pi, "ready")
    assert upgrade.run(args, pi) == 0
    assert capsys.readouterr().out.splitlines() == rows, "this one may boot"
    assert upgrade.run(typed(all=True, dry_run=True), pi) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"would upgrade pi7 (master): from {OLD} to {NEW}",
        f"would upgrade pi2 (worker): from {OLD} to {NEW}",
    ]


def test_a_node_is_watched_until_it_is_there(pi: FakePi) -> None:
    hears(pi, "ready")
    says = iter([("upgrading", "3 % images", OLD), ("upgrading", "90 %", NEW), ("ready", "", NEW)])
    pi.clock.on_sleep.append(lambda: hears(pi, *next(says)))
    watch(pi, "pi2", NEW)
    assert next(says, None) is None


def test_what_failed_before_does_not_count(pi: FakePi) -> None:
    hears(pi, "upgrading", "failed: of yesterday")
    says = iter([("upgrading", "failed: of yesterday"), ("upgrading", "3 %"), ("ready", "", NEW)])
    pi.clock.on_sleep.append(lambda: hears(pi, *next(says)))
    watch(pi, "pi2", NEW)


def test_a_node_that_fails_is_named_with_its_cause(pi: FakePi) -> None:
    hears(pi, "upgrading", "3 % images")
    pi.clock.on_sleep.append(lambda: hears(pi, "upgrading", "failed: no room"))
    with pytest.raises(StepFailed, match=r"^the upgrade of pi2 failed: no room$") as caught:
        watch(pi, "pi2", NEW)
    assert "sudo kubepi upgrade on pi2" in caught.value.hint


@pytest.mark.parametrize(
    ("word", "sentence"), [("ready", "does not begin"), ("upgrading", "is upgrading 3 % and says")]
)
def test_a_node_that_says_nothing_is_named(word: str, sentence: str, pi: FakePi) -> None:
    progress = "3 %" if word == "upgrading" else ""
    hears(pi, word, progress)
    pi.clock.on_sleep.append(lambda: hears(pi, word, progress))
    with pytest.raises(StepFailed, match=sentence):
        watch(pi, "pi2", NEW)


def test_a_node_that_says_no_word_is_named_sooner(pi: FakePi) -> None:
    """As after our own agent was started anew, which has heard nobody yet."""
    hears(pi, "upgrading", "3 %")
    pi.clock.on_sleep.append(lambda: pi.put(PEERS, "{}"))
    began = pi.monotonic()
    with pytest.raises(StepFailed, match="says nothing new"):
        watch(pi, "pi2", NEW)
    assert pi.monotonic() - began < 2 * SILENCE
