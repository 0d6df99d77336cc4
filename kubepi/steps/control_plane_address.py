"""A master with another address: its control plane names the new one, and runs with it.

An etcd that is alone starts with the old peer URL in its data, and is told the new one when it
runs; among others it is told by their quorum. May touch: /etc/kubernetes, etcd's list of members,
kubelet, the containers of the control plane.
Tests: tests/steps/test_address.py, tests/lab/test_address.py.
"""

from dataclasses import dataclass, field

from kubepi.cluster import etcd
from kubepi.decide.address import (
    CERTIFICATES,
    NAMED_IN,
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
from kubepi.steps.services import KUBELET, runs_or_starts, unit_state
from kubepi.steps.signing import documents_for, sign
from kubepi.steps.static_pods import stop_control_plane

STOPPED = f"{state.RUN}/stopped-for-an-address"  # kubelet was; the next boot starts it anyway


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
            if unit_state(host, KUBELET).get("UnitFileState") == "enabled":
                host.run(["systemctl", "start", KUBELET])
            host.remove(STOPPED)


def _stop(host: Host) -> None:
    """The control plane, with a note that it is to run again; where kubelet is off, nothing."""
    if runs_or_starts(host, KUBELET) or host.exists(STOPPED):
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
