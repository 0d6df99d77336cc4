"""`upgrade`: Kubernetes of another version, or newer packages of the system; the node's own plan
does the rest."""

from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.decide.proxy import proxy_of
from kubepi.decide.upgrade import OS, Upgrade
from kubepi.machine.step import Step
from kubepi.steps.new_kubelet import Emptied, KubeletReplaced, VersionFollowed
from kubepi.steps.os_packages import BootWanted, EmptiedForOs, ListsFetched, OsPackages
from kubepi.steps.packages import KubernetesPackages
from kubepi.steps.repository import KEY_FINGERPRINT, KubernetesRepository
from kubepi.steps.upgrading import ControlPlaneMended, KubeadmUpgraded
from kubepi.steps.waits import ApiReady, NodeReady, OwnApiReady, Rebooted


def plan(goal: Goal, upgrade: Upgrade) -> list[Step]:
    if upgrade.version == OS:
        return _of_the_system(goal, upgrade)
    return _of_kubernetes(goal, upgrade)


def _of_the_system(goal: Goal, upgrade: Upgrade) -> list[Step]:
    return [
        ApiReady(),
        ListsFetched(),
        EmptiedForOs(upgrade.forced, goal.role == "master"),
        OsPackages(),
        BootWanted(),
        Rebooted(),
        *_for_the_next(goal),
    ]


def _of_kubernetes(goal: Goal, upgrade: Upgrade) -> list[Step]:
    """In kubeadm's order; the pods stay as long as they can."""
    is_master, version = goal.role == "master", upgrade.version
    kit = goal.settings["downloads.kit"]
    return [
        *([ControlPlaneMended()] if is_master else []),
        ApiReady(),
        NodeReady(),
        *([] if kit else [_repository(goal, version)]),
        KubernetesPackages(kit, ("kubeadm",), version),
        common.images(goal, version),
        KubeadmUpgraded(goal, version),
        ApiReady(),  # kubeadm is content with static pods that run
        Emptied(version, upgrade.forced, is_master),
        KubernetesPackages(kit, version=version),
        ApiReady(),  # apt starts the kubelet anew
        KubeletReplaced(version),
        *_for_the_next(goal),
        VersionFollowed(version),
    ]


def _for_the_next(goal: Goal) -> list[Step]:
    """A boot or a new kubelet starts the static pods anew: etcd can miss one master at a time."""
    return [OwnApiReady()] if goal.role == "master" else []


def _repository(goal: Goal, version: str) -> Step:
    settings = goal.settings
    return KubernetesRepository(
        settings["downloads.kubernetes_repository"], version,
        key_fingerprint=settings["downloads.repository_key"] or KEY_FINGERPRINT,
        proxy=proxy_of(settings), version=version,
    )  # fmt: skip
