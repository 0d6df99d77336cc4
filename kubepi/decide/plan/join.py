"""`join`: this Pi becomes a worker of the master that its token opens, or a master beside it."""

from collections.abc import Sequence

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import certificates, common
from kubepi.machine.step import Step
from kubepi.steps.clock import ClockNotBehind, MasterHeard
from kubepi.steps.cordon import NodeInService
from kubepi.steps.holding import ControllersBack
from kubepi.steps.kubeadm import KubeadmJoin
from kubepi.steps.more_masters import KubeadmJoinMaster
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady


def plan(goal: Goal, facts: Facts, own_file: str, addons: Sequence[str] = ()) -> list[Step]:
    oom = facts.can_lower_oom_score
    member: list[Step] = [
        KubeadmJoin(goal, oom),
        *certificates.of_node(goal),
        NodeReady(),
        NodeInService(),
    ]
    if goal.as_master:
        member = [
            KubeadmJoinMaster(goal, oom),
            *certificates.of_node(goal),
            ApiReady(),
            NodeReady(),
            NodeInService(),
            ControllersBack(),
            MasterAnnounced(),
            *common.admins(goal),
            *common.backups(goal),
            *common.chosen_addons(goal, addons),
        ]
    return [
        *common.kubepi_itself(own_file),
        MasterHeard(),
        ClockNotBehind(),
        *common.machine(goal, facts),
        common.name_alone(goal, facts),
        *common.kubernetes(goal, facts),
        *member,
    ]
