"""steps/nfs_connections.py: what is open to a server goes on at its new address."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.peerbook import Peer
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine.state import followed_share
from kubepi.steps.nfs_connections import SWITCHES, ConnectionsFollow
from kubepi.steps.share import ShareMounted
from tests.fakes import FakePi
from tests.scene import fresh_pi, join_goal
from tests.steps.lawful import obeys
from tests.steps.test_share import MASTER, THERE, a_pi

STEP = ConnectionsFollow("10.0.0.1", "10.0.0.9")
OPEN = {
    f"{SWITCHES}/switch-0/xprt-0-local/dstaddr": "/var/run/rpcbind.sock\n\0",
    f"{SWITCHES}/switch-1/xprt-1-tcp/dstaddr": "10.0.0.1\n\0",
    f"{SWITCHES}/switch-1/xprt-3-tcp/dstaddr": "10.0.0.1\n\0",
    f"{SWITCHES}/switch-2/xprt-2-tcp/dstaddr": "10.0.0.15\n\0",
}


def connected(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    for name, text in OPEN.items():
        pi.put(name, text)
    return pi


def test_only_what_leads_to_the_old_address_is_led_elsewhere(tmp_path: Path) -> None:
    pi = obeys(STEP, connected, tmp_path)
    found = [(pi.read(name) or "").strip("\0\n") for name in OPEN]
    assert found == ["/var/run/rpcbind.sock", "10.0.0.9", "10.0.0.9", "10.0.0.15"]


def test_without_nfs_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert STEP.check(fresh_pi(tmp_path / "pi")) is None


@pytest.mark.parametrize(
    ("server", "leads_to"),
    [("pi1", "10.0.0.9"), ("pi5", "10.0.0.1")],
    ids=["the same at another address", "another"],
)
def test_open_connections_follow_their_server_and_no_other(
    tmp_path: Path, server: str, leads_to: str
) -> None:
    """Another server has other files: what is open to the old one has nothing to do there."""
    name = f"{SWITCHES}/switch-1/xprt-1-tcp/dstaddr"
    mounted = ShareMounted(join_goal())
    pi = a_pi(mounted)(tmp_path / "pi")
    pi.put(name, f"{THERE.address}\n\0")
    there = replace(THERE, address="10.0.0.9")
    at = there.address if server == "pi1" else THERE.address
    master = replace(MASTER, share=str(there), address=at)
    other = replace(MASTER, node="pi5", node_id="bb", address="10.0.0.9", role="worker")
    heard = [master, *([] if server == "pi1" else [other])]
    book = {advert.node_id: Peer(advert, True, pi.monotonic()) for advert in heard}
    pi.path(PEERS).write_text(json.dumps(to_json(book)))
    mounted.apply(pi)
    assert followed_share(pi) == there
    assert (pi.read(name) or "").strip("\0\n") == leads_to
