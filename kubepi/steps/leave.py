"""Leaving a cluster: the master is told and deletes our Node; what Kubernetes left is removed.

May touch: the leaving mark, interfaces, chains and CNI files of Kubernetes and flannel only.
Tests: tests/steps/test_leave.py, tests/laws, tests/lab/test_cluster.py.
"""

import re
from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.errors import KubepiError, NotYet
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name

LEFT = f"{state.STATE}/left"
INTERFACES = ("flannel.1", "cni0", "kube-ipvs0")
# Only what kubeadm, kubelet, kube-proxy, flannel and the portmap plugin name so.
CHAIN = re.compile(r"^:(KUBE|FLANNEL|CNI)-")
OURS = re.compile(r"(^-A|-j|-g) (KUBE|FLANNEL|CNI)-")  # in a chain of ours, or leading to one
COMMENT = re.compile(r'"(\\.|[^"\\])*"')
NFT_TABLE = "kube-proxy"
CNI_FILES = ("/etc/cni/net.d/10-flannel.conflist", "/opt/cni/bin/flannel")
FOLDERS = ("/run/flannel", "/var/lib/cni", "/var/log/pods", "/var/log/containers")


@dataclass(frozen=True)
class Left:
    """The cluster has no Node of this name any more, or nobody could be asked in time.

    The cluster of the only master goes with it; `of_several`: there are others.
    """

    of_several: bool = False
    patience: float = 150.0

    @property
    def name(self) -> str:
        return "out of the cluster"

    def check(self, host: Host) -> Finding | None:
        if host.exists(LEFT) or not host.exists(kubectl.KUBELET):
            return None
        if host.exists(kubectl.ADMIN) and not self.of_several:
            return None
        return Finding("its Node is there still")

    def apply(self, host: Host) -> None:
        host.write(state.LEAVING, "", 0o600)

        def gone() -> str | None:
            try:
                there = kubectl.get_node(host, node_name(host))
            except NotYet as missing:
                return f"no answer from {missing.what}"
            if there is None:
                return None
            if not any(peer.is_master for peer in read_peers(host).values()):
                return "no master is heard on the LAN"
            return "the master's agent has not deleted the Node yet"

        try:
            host.wait_until("the master to let this node go", gone, self.patience, 1.0)
        except KubepiError as error:
            host.log.line(f"warning: leaving without the master: {error.sentence}")
            host.say(
                "the master could not be asked; on it, remove this node with: "
                f"kubectl delete node {node_name(host)}"
            )
        host.write(LEFT, "", 0o600)


def _save(host: Host, table: str) -> str:
    """The rules of one family; nothing where iptables is not there."""
    result = host.probe([f"{table}-save"])
    return result.stdout if result.ok else ""


def nft_families(host: Host) -> list[str]:
    """Where kube-proxy in its nftables mode has its table: ip, ip6."""
    result = host.probe(["nft", "list", "tables"])
    rows = (line.split() for line in result.stdout.splitlines()) if result.ok else ()
    return [row[1] for row in rows if row[:1] == ["table"] and row[2:] == [NFT_TABLE]]


def without_ours(rules: str) -> str:
    """What `iptables-save` printed, less all chains and rules of Kubernetes; pure."""
    kept = []
    for line in rules.splitlines():
        if CHAIN.match(line) or OURS.search(COMMENT.sub("", line)):
            continue
        kept.append(line)
    return "".join(f"{line}\n" for line in kept)


@dataclass(frozen=True)
class NetworkCleaned:
    """No interface, chain, rule or CNI file of Kubernetes; everybody else's stays."""

    @property
    def name(self) -> str:
        return "network as before"

    def _chains(self, host: Host) -> dict[str, str]:
        found = {}
        for family in ("iptables", "ip6tables"):
            rules = _save(host, family)
            lines = [line for line in rules.splitlines() if not line.startswith("#")]
            kept = [line for line in without_ours(rules).splitlines() if not line.startswith("#")]
            if lines != kept:
                found[family] = without_ours(rules)
        return found

    def check(self, host: Host) -> Finding | None:
        for interface in INTERFACES:
            if host.exists(f"/sys/class/net/{interface}"):
                return Finding(f"interface {interface} is there")
        for name in (*CNI_FILES, *FOLDERS):
            if host.exists(name):
                return Finding(f"{name} is there")
        ours = [*self._chains(host), *(f"nft {family}" for family in nft_families(host))]
        return Finding(f"{', '.join(ours)} has rules of Kubernetes") if ours else None

    def apply(self, host: Host) -> None:
        for interface in INTERFACES:
            if host.exists(f"/sys/class/net/{interface}"):
                host.run(["ip", "link", "delete", interface])
        for family, rules in self._chains(host).items():
            host.run([f"{family}-restore"], stdin=rules)
        for family in nft_families(host):
            host.run(["nft", "delete", "table", family, NFT_TABLE])
        for name in CNI_FILES:
            host.remove(name)
        for name in FOLDERS:
            host.remove_tree(name)
        host.remove_empty("/etc/cni/net.d")
        host.remove_empty("/etc/cni")
