"""Bring this node, or with --all the whole cluster, back into service after `disable`."""

import argparse

from kubepi.commands import changing, whole
from kubepi.commands.disable import member_goal
from kubepi.machine import disabled
from kubepi.machine.host import Host
from kubepi.reconcile import Options, reconcile_enabled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="all nodes, masters first")
    parser.add_argument("--yes", action="store_true", help="do not wait for nodes that are silent")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "enable", args.dry_run)
    goal = member_goal(host)
    if args.all and not args.dry_run:
        return whole.enable_all(args, host, goal)
    if disabled.load(host) is None:
        print("this node is not disabled")
        return 0
    reconcile_enabled(host, Options(dry_run=args.dry_run))
    if not args.dry_run:
        print("This node is in service again.")
    return 0
