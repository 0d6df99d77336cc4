"""`disable`: out of service, drained, stopped and unmounted, in an order that loses nothing."""

from kubepi.decide.disabled import Disabled
from kubepi.decide.goal import Goal
from kubepi.machine.step import Step
from kubepi.steps.caches import CachesEmptied
from kubepi.steps.cordon import Cordoned, Drained
from kubepi.steps.holding import ControllersHeld
from kubepi.steps.stopping import (
    KubeletStopped,
    PodsStopped,
    ServingEnded,
    ShareAway,
    WorkersDisabled,
)


def plan(goal: Goal, disabled: Disabled) -> list[Step]:
    """With all other nodes nothing is drained: the pods have nowhere to go."""
    is_master = goal.role == "master"
    return [
        *([CachesEmptied()] if disabled.cleans else []),
        *([ControllersHeld()] if disabled.whole and is_master else []),
        Cordoned(disabled.whole, disabled.forced),
        *([] if disabled.whole else [Drained(disabled.forced)]),
        *([WorkersDisabled()] if disabled.whole and is_master else []),
        KubeletStopped(),
        PodsStopped(),
        ShareAway(),
        ServingEnded(),
    ]


def first_for_all(goal: Goal) -> list[Step]:
    """What the master that all are disabled from does before it waits for them."""
    return [ControllersHeld(), Cordoned(True, False)] if goal.role == "master" else []
