"""A name that another Pi on the LAN has too: repaired or refused, before it is a Node's.

May touch: what HostNamed may. Tests: tests/steps/test_duplicate.py.
"""

from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kernel import first_line
from kubepi.machine.step import Finding
from kubepi.steps.identity import HOSTNAME, HostNamed


@dataclass(frozen=True)
class NameAlone:
    """No other Pi with our token has this name; `spare` is taken instead, unless it is empty.

    A member keeps its name: its Node has it.
    """

    spare: str

    @property
    def name(self) -> str:
        return "a name of its own"

    def check(self, host: Host) -> Finding | None:
        other = _other(host)
        if other is None:
            return None
        return Finding(f"{other.advert.node} is also the name of {other.advert.address}")

    def apply(self, host: Host) -> None:
        other = _other(host)
        if other is None:
            return
        if self.spare in ("", other.advert.node):
            raise StepFailed(
                f"the Pi at {other.advert.address} ({other.advert.board}) "
                f"is called {other.advert.node} too",
                "give one of them another name: node.name in kubepi.yaml, or --node-name",
            )
        HostNamed(self.spare).apply(host)


def _other(host: Host) -> Peer | None:
    """A trusted peer that is heard, with this name and another id."""
    if host.exists(kubectl.KUBELET):
        return None
    own_id = (host.read(state.NODE_ID) or "").strip()
    name, now = first_line(host, HOSTNAME), host.monotonic()
    for node_id, peer in sorted(read_peers(host).items()):
        is_there = peer.trusted and not peer.is_silent(now) and peer.advert.state != "leaving"
        if is_there and node_id != own_id and peer.advert.node == name:
            return peer
    return None
