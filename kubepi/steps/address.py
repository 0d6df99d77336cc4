"""A node with another address, or whose API has one: what read the old one starts again.

control_plane_address.py has what a master does before. May touch: kubelet, the containers of
kube-proxy and flannel. Tests: tests/steps/test_address.py, tests/lab/test_address.py.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from kubepi.cluster import containers, kubectl
from kubepi.decide.address import Addresses
from kubepi.decide.goal import Goal
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name
from kubepi.steps.names import own_address
from kubepi.steps.services import KUBELET, runs_or_starts

FLANNEL_ADDRESS = "flannel.alpha.coreos.com/public-ip"
CONNECTIONS = 12  # one dead address of two is missed once in 4096 times, of three in 130
RESTARTED = "restarted-"


@dataclass(frozen=True)
class AddressesUnderWay:
    """What was noted holds no more, so that a way back to it is gone as a whole, too.

    What was restarted for other addresses has to be restarted again.
    """

    addresses: Addresses

    @property
    def name(self) -> str:
        return "addresses under way"

    def check(self, host: Host) -> Finding | None:
        noted = _noted(host)
        return None if noted in (self._note, str(self.addresses)) else Finding(f"{noted} is noted")

    @property
    def _note(self) -> str:
        return f"under way {self.addresses}"

    def apply(self, host: Host) -> None:
        for name in host.listdir(state.RUN):
            if name.startswith(RESTARTED):
                host.remove(f"{state.RUN}/{name}")
        host.write(state.ADDRESSES, f"{self._note}\n", 0o600)


def _noted(host: Host) -> str:
    return (host.read(state.ADDRESSES) or "").strip()


@dataclass(frozen=True)
class Restarted:
    """What read the old addresses when it started starts again and reads the new ones.

    Pods of the host's network have a copy of /etc/hosts as it was, and what kubelet has open to
    the API ends nowhere. A mark that the next boot forgets says that it is done. What runs on a
    master leads to the API server there: ControlPlaneAddressed started it anew.
    """

    container: str
    addresses: Addresses

    @property
    def name(self) -> str:
        return f"{self.container}, kubelet restarted"

    @property
    def _mark(self) -> str:
        return f"{state.RUN}/{RESTARTED}{self.container}"

    def check(self, host: Host) -> Finding | None:
        if str(self.addresses) in (_noted(host), host.read(self._mark)):
            return None
        return Finding(f"the addresses are {self.addresses} now")

    def apply(self, host: Host) -> None:
        if not runs_or_starts(host, KUBELET):
            raise StepFailed(
                "the kubelet is off, and nothing here follows a new address before it runs",
                "sudo systemctl start kubelet",
            )
        for container in containers.running(host, (self.container,)):
            containers.kill(host, container)
        # it forgets how often a container ended
        host.run(["systemctl", "try-restart", KUBELET])
        host.mkdir(state.RUN)
        host.write(self._mark, str(self.addresses))


@dataclass(frozen=True)
class ServiceReady:
    """The API answers by its service, too: kube-proxy here knows where it is now, and only that.

    Flannel asks it there, and ends where nobody answers. Each connection gets one of the
    service's addresses by chance, and one that an API server left is listed until its lease ends.
    """

    goal: Goal = field(repr=False)
    patience: float = 180.0

    @property
    def name(self) -> str:
        return "service of the API"

    def check(self, host: Host) -> Finding | None:
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        host.wait_until(self.name, lambda: self._seen(host), self.patience, 1.0)

    def _seen(self, host: Host) -> str | None:
        service = IPv4Network(self.goal.settings["kubernetes.service_subnet"])[1]
        if (said := kubectl.is_ready(host, server=f"https://{service}")) is not None:
            return said
        connect = ["socat", "-u", "OPEN:/dev/null", f"TCP4:{service}:443,connect-timeout=2"]
        dead = any(host.glance(connect) is None for _ in range(CONNECTIONS))
        return "one of its addresses does not answer" if dead else None


@dataclass(frozen=True)
class NodeAddressed:
    """This node is Ready, and the others are told its address: by kubelet, and by flannel."""

    goal: Goal = field(repr=False)
    patience: float = 180.0

    @property
    def name(self) -> str:
        return "this node's address"

    def check(self, host: Host) -> Finding | None:
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        host.wait_until("this node's address", lambda: self._seen(host), self.patience, 1.0)

    def _seen(self, host: Host) -> str | None:
        own = own_address(host, self.goal)
        try:
            node = kubectl.get_node(host, node_name(host))
        except NotYet as missing:
            return f"no answer from {missing.what}"
        if node is None:
            return "the node is not registered"
        told = node["status"].get("addresses", [])
        if {"type": "InternalIP", "address": own} not in told:
            return f"its Node does not have {own} yet"
        flannel = node["metadata"].get("annotations", {}).get(FLANNEL_ADDRESS, own)
        if flannel != own:
            return f"flannel has {flannel}"
        return kubectl.not_ready_because(node)


@dataclass(frozen=True)
class AddressesNoted:
    """All that is to follow did; until then each start of the agent goes on with it."""

    addresses: Addresses

    @property
    def name(self) -> str:
        return "addresses noted"

    def check(self, host: Host) -> Finding | None:
        noted = _noted(host)
        return None if noted == str(self.addresses) else Finding(noted or "nothing is noted")

    def apply(self, host: Host) -> None:
        host.sync()
        host.write(state.ADDRESSES, f"{self.addresses}\n", 0o600)
