"""The API's name in /etc/hosts before kubeadm needs it; from then on the agent keeps it.

May touch: kubepi's block in /etc/hosts. Tests: tests/steps/test_names.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.decide.goal import Goal
from kubepi.decide.hosts import HOSTS, LABEL, address_of, host_lines, other_apis
from kubepi.errors import StepFailed
from kubepi.lan.peers import read_peers, wait_for_master
from kubepi.machine.host import Host
from kubepi.machine.interfaces import read_network
from kubepi.machine.step import Finding
from kubepi.steps.cloud_init import CloudInitKeepsNames
from kubepi.steps.files import MarkedBlock


def own_address(host: Host, goal: Goal) -> str:
    """The address others reach this node at: the configured one, or the default route's."""
    if goal.settings["node.address"]:
        return str(goal.settings["node.address"])
    network = read_network(host)[1]
    if network is None:
        raise StepFailed(
            "this Pi has no address on any network",
            "connect a cable or set up Wi-Fi, then run the same command again",
        )
    return network.address


def has_cloud_init(host: Host) -> bool:
    return host.is_dir("/etc/cloud/cloud.cfg.d")


def keep_names(host: Host, lines: tuple[str, ...]) -> bool:
    """Our block in /etc/hosts, and in what cloud-init makes /etc/hosts of; True if it changed."""
    block = MarkedBlock(HOSTS, LABEL, lines)
    changed = block.check(host) is not None
    if changed:
        block.apply(host)
    if has_cloud_init(host) and CloudInitKeepsNames().check(host) is not None:
        CloudInitKeepsNames().apply(host)
    return changed


@dataclass(frozen=True)
class ApiNamed:
    """`NAME.kubepi.internal` leads to the master: this node, or the one whose advert says so."""

    goal: Goal

    @property
    def name(self) -> str:
        return f"name {self.goal.api_name}"

    def check(self, host: Host) -> Finding | None:
        if not address_of(self.goal.api_name, host.read(HOSTS) or ""):
            return Finding(f"is not in {HOSTS}")
        return CloudInitKeepsNames().check(host) if has_cloud_init(host) else None

    def apply(self, host: Host) -> None:
        if self.goal.makes_cluster:
            api = own_address(host, self.goal)
        else:
            wait_for_master(host, 120)
            api = other_apis(read_peers(host))[0]
        keep_names(host, host_lines(self.goal.api_name, api, read_peers(host)))
