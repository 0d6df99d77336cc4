"""`init`: this Pi becomes the master of a new cluster."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.kubeadm import KubeadmInit
from kubepi.steps.manifests import AdminKubeconfig, DeploymentReady, Manifest
from kubepi.steps.tokens import TokenMade
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady


def plan(goal: Goal, facts: Facts, own_file: str) -> list[Step]:
    admins = [AdminKubeconfig("/root")]
    if goal.admin is not None:
        admins.append(AdminKubeconfig(goal.admin.home, goal.admin.uid, goal.admin.gid))
    return [
        TokenMade(),
        *common.kubepi_itself(own_file),
        *common.machine(goal, facts),
        *common.kubernetes(goal, facts),
        KubeadmInit(goal, facts.can_lower_oom_score),
        ApiReady(),
        Manifest("flannel", goal),
        Manifest("access", goal),
        NodeReady(),
        DeploymentReady("kube-system", "coredns"),
        MasterAnnounced(),
        *admins,
    ]
