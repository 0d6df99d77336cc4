"""`init`: this Pi becomes the master of a new cluster."""

from collections.abc import Sequence

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.placing import SETTING
from kubepi.decide.plan import certificates, common
from kubepi.machine.step import Step
from kubepi.steps.addons import AddonApplied
from kubepi.steps.cordon import NodeInService
from kubepi.steps.holding import ControllersBack
from kubepi.steps.kubeadm import KubeadmInit
from kubepi.steps.manifests import DeploymentReady
from kubepi.steps.restoring import RestoreOver
from kubepi.steps.taint import MasterTaint
from kubepi.steps.tokens import TokenMade
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady


def plan(goal: Goal, facts: Facts, own_file: str, addons: Sequence[str] = ()) -> list[Step]:
    return [
        TokenMade(),
        *common.kubepi_itself(own_file),
        *common.machine(goal, facts),
        *common.kubernetes(goal, facts),
        KubeadmInit(goal, facts.can_lower_oom_score),
        # what was interrupted or switched off comes up first
        *certificates.of_node(goal),
        ApiReady(),
        AddonApplied("flannel", goal),
        AddonApplied("access", goal),
        NodeReady(),
        NodeInService(),
        ControllersBack(),
        MasterTaint(goal.settings[SETTING]),
        DeploymentReady("kube-system", "coredns"),
        MasterAnnounced(),
        *common.admins(goal),
        RestoreOver(),
        *common.backups(goal),
        *common.chosen_addons(goal, addons),
    ]
