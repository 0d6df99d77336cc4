"""`enable`: what comes before the node's own plan, which does the rest."""

from kubepi.decide.goal import Goal
from kubepi.machine.step import Step
from kubepi.steps.coming_back import EarlierBack


def first(goal: Goal) -> list[Step]:
    """Masters, then who serves the share, then workers."""
    return [] if goal.role == "master" else [EarlierBack()]
