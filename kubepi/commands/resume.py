"""Go on where a reboot or a power cut interrupted up, init, join or reset; systemd runs it."""

import argparse
import sys
from dataclasses import replace

from kubepi.commands import changing
from kubepi.decide.goal import Goal
from kubepi.errors import LockHeld, NoGoal
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.reconcile import Options, reconcile_up
from kubepi.steps.identity import copied_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "resume", args.dry_run)
    goal = state.load_goal(host)
    if goal is None:
        raise NoGoal("this Pi was not told what to be", "kubepi init or kubepi join tells it")
    goal = _own_goal(goal, host)
    if state.goal_reached(host) and goal == state.load_goal(host) and not args.dry_run:
        print("nothing to go on with: this Pi is what it should be", file=sys.stderr)
        return 0
    host.log.tell(f"resume: goes on with {goal.verb}")
    try:
        reconcile_up(goal, host, Options(dry_run=args.dry_run, reboot=not sys.stdin.isatty()))
    except LockHeld as other:
        # a person is at it already: systemd has nothing to try again
        print(f"kubepi: {other.sentence}", file=sys.stderr)
    return 0


def _own_goal(goal: Goal, host: Host) -> Goal:
    """On a card that was copied from another board this Pi finds its own place in the cluster."""
    other = copied_from(host, look(host).board.serial)
    if other is None or goal.verb == "reset":
        return goal
    host.log.tell(f"resume: this card is a copy of that of the board {other}: a node of its own")
    return replace(goal, verb="up", settings={**goal.settings, "node.name": "", "node.address": ""})
