"""Take this node, or with --all the whole cluster, out of service: the plug may be pulled."""

import argparse
import sys

from kubepi.cluster import etcd, kubectl
from kubepi.commands import changing, whole
from kubepi.decide.disabled import Disabled
from kubepi.decide.goal import Goal
from kubepi.decide.quorum import keeps_quorum, voters
from kubepi.errors import NoGoal, NotYet, PreflightFailed, UsageError
from kubepi.machine import disabled, state, upgrading
from kubepi.machine.host import Host
from kubepi.reconcile import Options, move_is_on, reconcile_disabled
from kubepi.steps.kubeadm import node_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="all nodes, workers first")
    parser.add_argument("--poweroff", action="store_true", help="switch off when all is stopped")
    parser.add_argument(
        "--clean-cache", action="store_true", help="remove unused images and downloaded packages"
    )
    parser.add_argument("--force", action="store_true", help="in spite of what blocks")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "disable", args.dry_run)
    goal = member_goal(host)
    if move_is_on(host):
        raise UsageError("the share is on its way to another place", "let that end first")
    if upgrading.is_on(host):
        raise UsageError("this node is being upgraded", "let that end first: sudo kubepi upgrade")
    if args.clean_cache and not args.yes and sys.stdin.isatty():
        about = "Images without a container and apt's packages go; they may be needed again."
        if not changing.agreed(about, "Remove them?"):
            raise UsageError("this was not confirmed; nothing was changed", "--yes does not ask")
    if args.all:
        return whole.disable_all(args, host, goal)
    is_alone = goal.role == "master" and _is_the_only_node(args, host)
    wanted = Disabled(whole=is_alone, forced=args.force, cleans=args.clean_cache)
    reconcile_disabled(host, wanted, Options(dry_run=args.dry_run))
    if not args.dry_run:
        print("This node is disabled, also after a reboot: sudo kubepi enable brings it back.")
        whole.end(host, args.poweroff)
    return 0


def member_goal(host: Host) -> Goal:
    goal = state.load_goal(host)
    if goal is None or not goal.is_member:
        raise NoGoal("this Pi is in no cluster", "sudo kubepi init or sudo kubepi join")
    if not state.goal_reached(host) and disabled.load(host) is None:
        raise UsageError(f"{goal.verb} has not ended yet", f"first let it: sudo kubepi {goal.verb}")
    return goal


def _is_the_only_node(args: argparse.Namespace, host: Host) -> bool:
    """Refuses to stop the control plane of others.

    A node that is stopped already cannot be asked, and needs not.
    """
    try:
        nodes, members = kubectl.ask_items(host, "nodes"), etcd.asked_members(host)
    except NotYet:
        return False
    breaks = not keeps_quorum(members, {node_name(host)})
    if len(nodes) > 1 and breaks and not args.force:
        one = len(voters(members)) == 1
        what = "the only master" if one else "one master more than etcd can miss"
        raise PreflightFailed(
            f"this is {what}: without it the cluster has no API",
            "kubepi disable --all takes all nodes out in order; --force only this one",
        )
    return len(nodes) == 1
