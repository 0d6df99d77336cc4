"""Go on where a reboot or a power cut interrupted any of the others; systemd runs it."""

import argparse
import sys
from dataclasses import replace

from kubepi.commands import changing, upgrading
from kubepi.decide.goal import Goal
from kubepi.decide.names import unique_name
from kubepi.errors import LockHeld, NoGoal, NotYet, StepFailed
from kubepi.machine import disabled, state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.reconcile import (
    Options,
    move_is_on,
    reconcile_disabled,
    reconcile_enabled,
    reconcile_move,
    reconcile_up,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--addresses", action="store_true", help="only what a new address asks for (by the agent)"
    )


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "resume", args.dry_run)
    goal = state.load_goal(host)
    if goal is None:
        raise NoGoal("this Pi was not told what to be", "kubepi init or kubepi join tells it")
    if args.addresses:
        return _follow_addresses(goal, host)
    goal = _own_goal(goal, host)
    if state.goal_reached(host) and goal == state.load_goal(host) and not args.dry_run:
        print("nothing to go on with: this Pi is what it should be", file=sys.stderr)
        return 0
    host.log.tell(f"resume: goes on with {goal.verb}")
    try:
        options = Options(dry_run=args.dry_run, reboot=not sys.stdin.isatty())
        if goal.verb != "reset" and disabled.load(host) is not None:
            _go_or_come_back(host, options)
        elif move_is_on(host) and not args.dry_run:
            # nothing else: it would start again what is stopped for the move
            reconcile_move(host, options)
        elif goal.verb != "reset" and upgrading.is_noted(host):
            upgrading.go_on(host, goal, options)
        else:
            reconcile_up(goal, host, options)
    except LockHeld as other:
        # a person is at it already: systemd has nothing to try again
        print(f"kubepi: {other.sentence}", file=sys.stderr)
    return 0


def _follow_addresses(goal: Goal, host: Host) -> int:
    from kubepi.agent.addressing import follow

    try:
        follow(host, goal)
    except NotYet as missing:
        raise StepFailed(f"no answer from {missing.what}", "the agent tries it again") from missing
    return 0


def _go_or_come_back(host: Host, options: Options) -> None:
    """A node that is called back while it goes does both."""
    absent = disabled.load(host)
    if absent is not None and not disabled.is_over(host, absent):
        reconcile_disabled(host, absent, options)
        absent = disabled.load(host)
    if absent is not None and disabled.is_over(host, absent):
        reconcile_enabled(host, options)


def _own_goal(goal: Goal, host: Host) -> Goal:
    """On a copied card this Pi finds its own place in the cluster, under a name of its own."""
    if not host.exists(state.COPIED) or goal.verb in ("up", "reset"):
        return goal
    own = {"node.name": unique_name(look(host)), "node.address": ""}
    return replace(goal, verb="up", was=goal.verb, settings={**goal.settings, **own})
