"""kubepi nodes: who is listed, and this Pi among them."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.agent import Agent
from kubepi.commands import nodes
from kubepi.commands.whole import Others
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.lan.peers import PEERS, read_peers, to_json, with_own
from kubepi.machine import state
from kubepi.machine.facts import look
from tests.fakes import FakePi
from tests.scene import give_token, init_goal, master

OTHER = Advert(
    node="pi2", node_id="22" * 8, address="10.0.0.2", board="Pi 4", role="worker", state="ready"
)  # fmt: skip


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A master whose agent spoke and heard nobody yet."""
    pi = master(tmp_path / "pi")
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    agent = Agent(pi, look(pi))
    agent.news()
    agent.write_down()
    return pi


def run(pi: FakePi, *words: str) -> int:
    parser = argparse.ArgumentParser()
    nodes.add_arguments(parser)
    return nodes.run(parser.parse_args(words), pi)


def hears(pi: FakePi, *adverts: Advert) -> None:
    book = {advert.node_id: Peer(advert, True, pi.monotonic()) for advert in adverts}
    pi.put(PEERS, json.dumps(to_json(book)))


def test_this_pi_is_listed_among_the_others(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    hears(pi, OTHER)
    assert run(pi) == 0
    _, other, own = capsys.readouterr().out.splitlines()
    assert other.startswith("pi2") and other.endswith("0 s ago")
    assert own.startswith("pi7") and own.endswith("this Pi")
    assert run(pi, "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["advert"]["node"] for entry in listed] == ["pi2", "pi7"]


def test_alone_it_says_so(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pi) == 0
    said = capsys.readouterr()
    assert "no other Pi with kubepi is heard" in said.err
    assert "this Pi" in said.out


def test_it_is_in_the_table_of_the_whole_cluster_and_not_waited_for(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    hears(pi, replace(OTHER, state="disabled"))
    Others(pi, yes=False).watch(lambda peer: peer.advert.state == "disabled")
    assert "pi7" in capsys.readouterr().err
    assert "pi7" in {peer.advert.node for peer in with_own(pi, read_peers(pi)).values()}
    assert "pi7" not in {peer.advert.node for peer in read_peers(pi).values()}
