"""EarlierBack: a worker waits for a master that is ready."""

import json
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.steps.coming_back import EarlierBack
from tests.fakes import FakePi
from tests.scene import fresh_pi
from tests.steps.lawful import obeys


def hears_master(pi: FakePi, word: str) -> None:
    advert = Advert(node="m", node_id="m", role="master", state=word)
    pi.put(PEERS, json.dumps(to_json({"m": Peer(advert, True, pi.monotonic())})))


def test_back(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        hears_master(pi, "enabling")
        pi.clock.on_sleep.append(lambda: hears_master(pi, "ready"))
        return pi

    obeys(EarlierBack(), make, tmp_path)


def test_who_is_missing_is_told(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.clock.on_sleep.append(lambda: hears_master(pi, "disabled"))
    with pytest.raises(StepFailed, match="last seen: m is disabled"):
        EarlierBack().apply(pi)
