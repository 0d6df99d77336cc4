"""`up`: this Pi takes part in the election; what it becomes is the goal after this one."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.election import MasterDecided, SyncMeasured
from kubepi.steps.install import AGENT
from kubepi.steps.kubeadm import KubeadmReset
from kubepi.steps.services import ServiceRunning


def plan(goal: Goal, facts: Facts, own_file: str) -> list[Step]:
    return [
        # who this Pi is and how fit comes first: the agent speaks of both
        *common.kubepi_on_disk(own_file),
        *common.names(goal, facts),
        # of a card that was copied from a member: that one is alive, and this one is not it
        *([KubeadmReset(leaves_etcd=True)] if goal.was is not None else []),
        SyncMeasured(),
        ServiceRunning(AGENT),
        MasterDecided(),
        common.name_alone(goal, facts),
    ]
