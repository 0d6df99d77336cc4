"""kubepi/steps/election.py: measuring the disk once, and waiting for who becomes the master."""

from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.steps.election import MasterDecided, SyncMeasured
from tests.fakes import FakePi
from tests.steps.lawful import obeys

WAITS = {"verdict": "wait", "reason": "waits for 2 more of 5 Pis", "hint": "", "name": ""}


def new_pi(folder: Path) -> FakePi:
    folder.mkdir(parents=True, exist_ok=True)
    pi = FakePi(folder)
    pi.mkdir(state.STATE, 0o700)
    pi.fake_disk.make_all_durable()
    return pi


def decide(pi: FakePi, **decision: str) -> None:
    pi.put(state.ELECTION, "")
    state.write_json(pi, state.ELECTION, {**WAITS, **decision})


def hear_master(pi: FakePi, its_state: str) -> None:
    master = Advert(node="pi-b", node_id="b" * 16, role="master", state=its_state, sequence=1)
    state.write_json(pi, PEERS, to_json({"b" * 16: Peer(master, True, pi.monotonic())}))


def test_the_speed_of_the_disk_is_measured_once(tmp_path: Path) -> None:
    pi = obeys(SyncMeasured(), new_pi, tmp_path)
    assert float(pi.read(state.SYNC_LATENCY) or "x") >= 0
    assert pi.listdir(state.STATE) == [Path(state.SYNC_LATENCY).name]


def test_the_election_obeys_the_laws_though_it_only_waits(tmp_path: Path) -> None:
    def while_somebody_waits(folder: Path) -> FakePi:
        pi = new_pi(folder)
        pi.mkdir(state.RUN)
        pi.clock.on_sleep.append(lambda: decide(pi, verdict="lead"))
        return pi

    obeys(MasterDecided(60.0), while_somebody_waits, tmp_path)


def test_it_is_waited_for_the_agent_and_then_for_what_it_says(tmp_path: Path) -> None:
    pi, step = new_pi(tmp_path), MasterDecided(60.0)
    assert str(step.check(pi)) == "the agent has not looked around yet"
    decide(pi)
    assert str(step.check(pi)) == "waits for 2 more of 5 Pis"
    decide(pi, verdict="lead")
    assert step.check(pi) is None


def test_a_master_is_joined_when_it_is_ready(tmp_path: Path) -> None:
    pi, step = new_pi(tmp_path), MasterDecided(60.0)
    decide(pi, verdict="join", reason="pi-b is the master")
    assert "found no master" in str(step.check(pi))
    hear_master(pi, "starting")
    assert "is not ready yet" in str(step.check(pi))
    hear_master(pi, "ready")
    assert step.check(pi) is None


def test_a_stop_ends_the_wait_at_once_with_its_hint(tmp_path: Path) -> None:
    pi = new_pi(tmp_path)
    decide(pi, verdict="stop", reason="there are two masters", hint="reset one")
    assert str(MasterDecided(60.0).check(pi)) == "there are two masters"
    start = pi.monotonic()
    with pytest.raises(StepFailed, match="there are two masters") as caught:
        MasterDecided(60.0).apply(pi)
    assert caught.value.hint == "reset one"
    assert pi.monotonic() == start


def test_a_wait_that_ends_in_vain_has_the_hint_of_the_decision(tmp_path: Path) -> None:
    pi = new_pi(tmp_path)
    decide(pi, reason="waits for pi-b", hint="if it is lost: sudo kubepi up --forget pi-b")
    with pytest.raises(StepFailed, match="waits for pi-b") as caught:
        MasterDecided(60.0).apply(pi)
    assert "--forget" in caught.value.hint
