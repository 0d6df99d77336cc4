"""`reset`: the Pi as it was before kubepi; the opposite steps, in the order of leaving."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.hosts import HOSTS, LABEL
from kubepi.machine.step import Step
from kubepi.steps.backup_timer import BACKUP_TIMER
from kubepi.steps.boot import CmdlineTokensAbsent, ConfigTxtLinesAbsent
from kubepi.steps.cloud_init import CloudInitRestored
from kubepi.steps.containerd import CONFIG
from kubepi.steps.files import BlockAbsent, FileRestored
from kubepi.steps.identity import HostNameRestored
from kubepi.steps.install import AGENT, KubepiGone
from kubepi.steps.kept import KeptRestored
from kubepi.steps.kubeadm import KubeadmReset
from kubepi.steps.leave import Left, NetworkCleaned
from kubepi.steps.more_masters import OutOfEtcd
from kubepi.steps.moving import MoveLeft
from kubepi.steps.node_data import NodeDataLeft
from kubepi.steps.os_network import AvahiEverywhere
from kubepi.steps.packages import PackagesPurged
from kubepi.steps.services import ServiceGone
from kubepi.steps.share import ShareLeft
from kubepi.steps.swap import SwapRestored


def plan(goal: Goal, facts: Facts) -> list[Step]:
    """Leave, Kubernetes, network, packages, files, and last kubepi itself."""
    homes = ["/root"] + ([] if goal.admin is None else [goal.admin.home])
    return [
        Left(goal.as_master),
        *([OutOfEtcd()] if goal.as_master else []),
        KubeadmReset(leaves_etcd=goal.as_master),
        ShareLeft(),
        MoveLeft(),
        NetworkCleaned(),
        *(FileRestored(f"{home}/.kube/config") for home in homes),
        # before its package goes: what the purge removes must not come back from a kept copy
        FileRestored(CONFIG),
        PackagesPurged(),
        *([NodeDataLeft()] if goal.settings.get("storage.node_data") else []),
        *boot(facts),
        SwapRestored(),
        HostNameRestored(),
        *([AvahiEverywhere()] if facts.has_avahi else []),
        CloudInitRestored(),
        BlockAbsent(HOSTS, LABEL),
        ServiceGone(BACKUP_TIMER),
        KeptRestored(),
        ServiceGone(AGENT),
        KubepiGone(),
    ]


def boot(facts: Facts) -> list[Step]:
    if facts.boot_folder is None:
        return []
    return [CmdlineTokensAbsent(facts.boot_folder), ConfigTxtLinesAbsent(facts.boot_folder)]
