"""`restore`: this Pi becomes the master that a backup was made of; then it goes on as `init`."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.decide.proxy import proxy_of
from kubepi.machine.step import Step
from kubepi.steps.etcd_tools import EtcdutlThere
from kubepi.steps.restoring import (
    ControlPlaneRestored,
    ControlPlaneStopped,
    EtcdRestored,
    KeysRestored,
    LifeBegun,
    StateRestored,
)
from kubepi.steps.waits import ApiReady, MasterAnnounced


def plan(goal: Goal, facts: Facts, own_file: str) -> list[Step]:
    """All that may fail for want of a network comes before etcd's data is touched."""
    mirrors = tuple(sorted(goal.settings["downloads.image_mirrors"].items()))
    return [
        # before the agent: it speaks as the node that it is then
        StateRestored(),
        *common.kubepi_itself(own_file),
        *common.machine(goal, facts),
        *common.kubernetes(goal, facts),
        EtcdutlThere(mirrors, proxy_of(goal.settings)),
        ControlPlaneStopped(),
        KeysRestored(),
        EtcdRestored(goal),
        ControlPlaneRestored(goal, facts.can_lower_oom_score),
        ApiReady(),
        LifeBegun(),
        MasterAnnounced(),
    ]
