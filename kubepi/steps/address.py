"""A node with another address, or whose API has one: what names the old address names the new.

An etcd that is alone starts with the old peer URL in its data, and is told the new one when it
runs; among others it is told by their quorum. May touch: /etc/kubernetes, etcd's list of members,
kubelet, the containers of the control plane, kube-proxy and flannel.
Tests: tests/steps/test_address.py, tests/lab/test_address.py.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from kubepi.cluster import containers, etcd, kubectl
from kubepi.decide.address import (
    CERTIFICATES,
    NAMED_IN,
    Addresses,
    certificate_addresses,
    named_address,
    readdressed,
)
from kubepi.decide.goal import Goal
from kubepi.decide.quorum import Member
from kubepi.errors import NotYet
from kubepi.machine import state
from kubepi.machine.certificates import PKI
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name
from kubepi.steps.names import own_address
from kubepi.steps.services import KUBELET, unit_state
from kubepi.steps.signing import documents_for, sign
from kubepi.steps.static_pods import stop_control_plane

FLANNEL_ADDRESS = "flannel.alpha.coreos.com/public-ip"
CONNECTIONS = 12  # one dead address among two is missed once in 4096 times
UNDER_WAY = "under way"
STOPPED = f"{state.RUN}/stopped-for-an-address"  # kubelet was; the next boot starts it anyway


@dataclass(frozen=True)
class AddressesUnderWay:
    """What was noted holds no more, so that a way back to it is gone as a whole, too."""

    addresses: Addresses

    @property
    def name(self) -> str:
        return "addresses under way"

    def check(self, host: Host) -> Finding | None:
        noted = _noted(host)
        return None if noted in (UNDER_WAY, str(self.addresses)) else Finding(f"{noted} is noted")

    def apply(self, host: Host) -> None:
        host.write(state.ADDRESSES, f"{UNDER_WAY}\n", 0o600)


def _noted(host: Host) -> str:
    return (host.read(state.ADDRESSES) or "").strip()


@dataclass(frozen=True)
class ControlPlaneAddressed:
    """Certificates, credentials and manifests of this master name the address that it has."""

    goal: Goal = field(repr=False)

    @property
    def name(self) -> str:
        return "control plane's address"

    def check(self, host: Host) -> Finding | None:
        own = own_address(host, self.goal)
        for certificate in CERTIFICATES:
            if not _is_good(host, certificate, own):
                return Finding(f"{PKI}/{certificate}.crt is not for {own}")
        for name, old in _old_addresses(host, own).items():
            return Finding(f"{name} says {old}, it is {own}")
        return Finding("kubelet was stopped for it") if host.exists(STOPPED) else None

    def apply(self, host: Host) -> None:
        own = own_address(host, self.goal)
        documents = documents_for(host, self.goal)
        for certificate in CERTIFICATES:
            if not _is_good(host, certificate, own):
                sign(host, documents, certificate)
        host.sync()  # before anything starts that reads them
        if old := _old_addresses(host, own):
            _stop(host)
            for name, address in old.items():
                text = readdressed(host.read(name) or "", address, own)
                host.write(name, text, host.mode(name) or 0o600)
        if host.exists(STOPPED):
            host.run(["systemctl", "start", KUBELET])
            host.remove(STOPPED)


def _stop(host: Host) -> None:
    """The control plane; and a note, where kubelet ran, that it is to run again."""
    if unit_state(host, KUBELET).get("ActiveState") in ("active", "activating"):
        host.mkdir(state.RUN)
        host.write(STOPPED, "")
    stop_control_plane(host)


def _is_good(host: Host, certificate: str, own: str) -> bool:
    is_for = certificate_addresses(host.read(f"{PKI}/{certificate}.crt") or "")
    return own in is_for and bool(host.read(f"{PKI}/{certificate}.key"))


def _old_addresses(host: Host, own: str) -> dict[str, str]:
    """Files of this control plane that name another address than its own, and that address."""
    named = {name: named_address(name, host.read(name) or "") for name in NAMED_IN}
    return {name: address for name, address in named.items() if address not in (None, own)}


@dataclass(frozen=True)
class Restarted:
    """What read the old addresses when it started starts again and reads the new ones.

    Pods of the host's network have a copy of /etc/hosts as it was, and what kubelet has open to
    the API ends nowhere. A mark that the next boot forgets says that it is done. What runs on a
    master leads to the API server there: ControlPlaneAddressed started it anew.
    """

    containers: tuple[str, ...]
    addresses: Addresses
    kubelet: bool = False

    @property
    def name(self) -> str:
        names = ", ".join((*(["kubelet"] if self.kubelet else []), *self.containers))
        return f"{names} restarted"

    @property
    def _mark(self) -> str:
        return f"{state.RUN}/restarted-{self.containers[0]}"

    def check(self, host: Host) -> Finding | None:
        if str(self.addresses) in (_noted(host), host.read(self._mark)):
            return None
        return Finding(f"the addresses are {self.addresses} now")

    def apply(self, host: Host) -> None:
        for container in containers.running(host, self.containers):
            containers.kill(host, container)
        if self.kubelet:
            # it forgets how often a container ended; one that was stopped on purpose stays so
            host.run(["systemctl", "try-restart", "kubelet.service"])
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
class EtcdMemberAddressed:
    """etcd's list of members has this master's address."""

    goal: Goal = field(repr=False)

    @property
    def name(self) -> str:
        return "etcd's peer URL"

    def check(self, host: Host) -> Finding | None:
        member, wanted = self._member(host), self._wanted(host)
        return None if member.peer_urls == (wanted,) else Finding(", ".join(member.peer_urls))

    def apply(self, host: Host) -> None:
        etcd.update(host, self._member(host), self._wanted(host))

    def _wanted(self, host: Host) -> str:
        return f"https://{own_address(host, self.goal)}:2380"

    def _member(self, host: Host) -> Member:
        own = [m for m in etcd.members(host) if m.name == node_name(host)]
        if not own:
            raise NotYet("this master's etcd among the members")
        return own[0]


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
