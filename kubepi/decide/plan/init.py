"""`init`: this Pi becomes the master of a new cluster."""

from collections.abc import Sequence

from kubepi.decide.addon_choice import drops_data, wanted_addons
from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.placing import SETTING
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.addon_removal import AddonAbsent
from kubepi.steps.addons import AddonApplied, AddonReady
from kubepi.steps.address import ControlPlaneAddressed
from kubepi.steps.cordon import NodeInService
from kubepi.steps.holding import ControllersBack
from kubepi.steps.kubeadm import KubeadmInit
from kubepi.steps.manifests import AdminKubeconfig, DeploymentReady
from kubepi.steps.taint import MasterTaint
from kubepi.steps.tokens import TokenMade
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady


def plan(goal: Goal, facts: Facts, own_file: str, addons: Sequence[str] = ()) -> list[Step]:
    admins = [AdminKubeconfig("/root")]
    if goal.admin is not None:
        admins.append(AdminKubeconfig(goal.admin.home, goal.admin.uid, goal.admin.gid))
    return [
        TokenMade(),
        *common.kubepi_itself(own_file),
        *common.machine(goal, facts),
        *common.kubernetes(goal, facts),
        KubeadmInit(goal, facts.can_lower_oom_score),
        # the address may be another one since: what was interrupted or switched off comes up first
        ControlPlaneAddressed(goal),
        ApiReady(),
        AddonApplied("flannel", goal),
        AddonApplied("access", goal),
        NodeReady(),
        NodeInService(),
        ControllersBack(),
        MasterTaint(goal.settings[SETTING]),
        DeploymentReady("kube-system", "coredns"),
        MasterAnnounced(),
        *admins,
        *chosen_addons(goal, addons),
    ]


def chosen_addons(goal: Goal, installed: Sequence[str]) -> list[Step]:
    """What is no longer wanted goes first: there is not much room on a Pi."""
    wanted = wanted_addons(goal)
    unwanted = [name for name in installed if name not in wanted]
    return [
        *(AddonAbsent(name, not drops_data(goal, name)) for name in unwanted),
        *(AddonApplied(name, goal) for name in wanted),
        *(AddonReady(name) for name in wanted),
    ]
