"""What kubepi does to a Pi: the goal and the facts in, a list of steps out; pure.

The one place that names steps. Order is the order of the list; each goal has a file.
"""

from collections.abc import Sequence

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import init, join, reset, restore, up
from kubepi.machine.step import Step


def make_plan(
    goal: Goal, facts: Facts, own_file: str, addons: Sequence[str] = ()
) -> list[Step]:
    """`own_file` is the kubepi.pyz that runs; "" when it runs from its source.

    `addons` are those that were installed from this Pi, what needs others first.
    """
    if goal.verb == "init":
        return init.plan(goal, facts, own_file, addons)
    if goal.verb == "join":
        return join.plan(goal, facts, own_file, addons)
    if goal.verb == "up":
        return up.plan(goal, facts, own_file)
    if goal.verb == "restore":
        return restore.plan(goal, facts, own_file)
    return reset.plan(goal, facts)
