"""`join`: this Pi becomes a worker of the master that its token opens."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.clock import ClockNotBehind, MasterHeard
from kubepi.steps.cordon import NodeInService
from kubepi.steps.kubeadm import KubeadmJoin
from kubepi.steps.waits import NodeReady


def plan(goal: Goal, facts: Facts, own_file: str) -> list[Step]:
    return [
        *common.kubepi_itself(own_file),
        MasterHeard(),
        ClockNotBehind(),
        *common.machine(goal, facts),
        common.name_alone(goal, facts),
        *common.kubernetes(goal, facts),
        KubeadmJoin(goal, facts.can_lower_oom_score),
        NodeReady(),
        NodeInService(),
    ]
