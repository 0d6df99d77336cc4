"""kubepi/steps/duplicate.py: two Pis with one name on the LAN."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import SILENT_AFTER, Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.kernel import first_line
from kubepi.steps.duplicate import NameAlone
from kubepi.steps.identity import HOSTNAME, RUNNING_NAME
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.programs import install_programs
from tests.steps.lawful import obeys

OWN, OTHER = "a" * 16, "b" * 16
ADVERT = Advert(
    node="kitchen", node_id=OTHER, address="10.0.0.9", board="Raspberry Pi 5", state="electing"
)
SPARE = NameAlone("pi-c6d7e8")


def kitchen(folder: Path) -> FakePi:
    """A Pi called kitchen, which hears another one of that name."""
    pi = pi_of("pi4b-trixie", folder)
    install_programs(pi)
    pi.put(HOSTNAME, "kitchen\n")
    pi.put(RUNNING_NAME, "kitchen\n")
    pi.put(state.NODE_ID, f"{OWN}\n", 0o600)
    hear(pi)
    return pi


def hear(pi: FakePi, trusted: bool = True, **changes: object) -> None:
    advert = replace(ADVERT, **changes)  # type: ignore[arg-type]
    pi.path(PEERS).parent.mkdir(parents=True, exist_ok=True)
    book = {advert.node_id: Peer(advert, trusted, pi.monotonic())}
    pi.path(PEERS).write_text(json.dumps(to_json(book)))
    pi.fake_disk.make_all_durable()


def test_a_pi_takes_the_name_of_its_board_instead(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = kitchen(folder)
        lose_power = pi.power_cut

        def power_cut() -> None:
            lose_power()
            # the next boot: the kernel's name, and what the agent hears
            pi.put(RUNNING_NAME, pi.read(HOSTNAME) or "")
            hear(pi)

        pi.power_cut = power_cut  # type: ignore[method-assign]
        return pi

    pi = make(tmp_path / "pi")
    assert str(SPARE.check(pi)) == "kitchen is also the name of 10.0.0.9"
    pi = obeys(SPARE, make, tmp_path)
    assert first_line(pi, HOSTNAME) == first_line(pi, RUNNING_NAME) == "pi-c6d7e8"


@pytest.mark.parametrize("spare", ["", "kitchen"], ids=["chosen by the user", "the same again"])
def test_a_name_that_cannot_be_changed_is_refused_with_both_named(
    spare: str, tmp_path: Path
) -> None:
    pi = kitchen(tmp_path / "pi")
    with pytest.raises(StepFailed, match=r"10\.0\.0\.9 \(Raspberry Pi 5\) is called kitchen too"):
        NameAlone(spare).apply(pi)
    assert first_line(pi, HOSTNAME) == "kitchen"


@pytest.mark.parametrize(
    "changes",
    [{"node": "attic"}, {"node_id": OWN}, {"state": "leaving"}, {"trusted": False}],
    ids=["another name", "itself", "it leaves", "not trusted"],
)
def test_who_is_no_duplicate(changes: dict[str, object], tmp_path: Path) -> None:
    pi = kitchen(tmp_path / "pi")
    hear(pi, **changes)  # type: ignore[arg-type]
    assert SPARE.check(pi) is None


def test_one_that_fell_silent_may_be_this_very_board_before_it_was_flashed(tmp_path: Path) -> None:
    pi = kitchen(tmp_path / "pi")
    pi.clock.seconds += SILENT_AFTER + 1
    assert SPARE.check(pi) is None


def test_a_member_keeps_its_name(tmp_path: Path) -> None:
    pi = kitchen(tmp_path / "pi")
    pi.put("/etc/kubernetes/kubelet.conf", "x")
    assert SPARE.check(pi) is None
