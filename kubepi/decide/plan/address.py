"""Another address, of this node or of its API: the agent's plan, gone on with after a cut.

Nothing of it starts what is not running: a node that was stopped on purpose stays so.
"""

from kubepi.decide.address import Addresses
from kubepi.decide.goal import Goal
from kubepi.machine.step import Step
from kubepi.steps.address import (
    AddressesNoted,
    AddressesUnderWay,
    NodeAddressed,
    Restarted,
    ServiceReady,
)
from kubepi.steps.control_plane_address import ControlPlaneAddressed, EtcdMemberAddressed
from kubepi.steps.waits import ApiReady, OwnApiReady

API_SECONDS = 180.0


def plan(goal: Goal, addresses: Addresses) -> list[Step]:
    """`addresses`: those of the moment it was made; others make another plan."""
    is_master = goal.role == "master"
    return [
        AddressesUnderWay(addresses),
        *([ControlPlaneAddressed(goal)] if is_master else []),
        Restarted("kube-proxy", addresses),
        (OwnApiReady if is_master else ApiReady)(API_SECONDS, starts_kubelet=False),
        *([EtcdMemberAddressed(goal)] if is_master else []),
        ServiceReady(goal),
        Restarted("flannel", addresses),
        NodeAddressed(goal),
        AddressesNoted(addresses),
    ]
