"""Kubernetes of another version, on this node or with --all on every node, one after the other."""

import argparse
import os
from dataclasses import replace

from kubepi.commands import changing, replacing, rolling
from kubepi.commands.disable import member_goal
from kubepi.commands.upgrading import upgrade_or_follow
from kubepi.decide.goal import Goal
from kubepi.decide.kit import newest
from kubepi.decide.upgrade import AGAIN, OS, Upgrade, choose, in_words
from kubepi.errors import NoGoal, UsageError
from kubepi.lan.peers import the_master
from kubepi.machine import disabled, state, upgrading
from kubepi.machine.host import Host
from kubepi.reconcile import Options, move_is_on
from kubepi.steps.apt import pinned_version
from kubepi.steps.offered import offered


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "v1.36.3, 1.36 or newest (newest); on a worker: that of the master"
    parser.add_argument("version", nargs="?", metavar="VERSION", help=what)
    parser.add_argument("--all", action="store_true", help="all nodes, masters first")
    parser.add_argument(
        "--self", dest="kubepi", metavar="FILE",
        help="not Kubernetes, but kubepi: this file, on all nodes",
    )
    parser.add_argument("--here", action="store_true", help="with --self, only on this Pi")
    parser.add_argument(
        "--os", action="store_true", help="not Kubernetes, but Debian's packages; boots if needed"
    )
    parser.add_argument("--kit", metavar="DIR", help="offline kit with packages and images")
    parser.add_argument(
        "--force", action="store_true",
        help="delete pods that block, ignore ailing nodes; with --self, take an older one",
    )
    parser.add_argument("--yes", action="store_true", help="do not wait for nodes that are silent")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "upgrade", args.dry_run)
    if args.kubepi:
        return replacing.replace_self(args, host)
    goal = _goal(args, host)
    if args.os and args.version:
        raise UsageError("--os goes to no version of Kubernetes", "do the one, then the other")
    if args.all:
        return rolling.upgrade_all(args, host, goal)
    own = pinned_version(host)
    version = target(OS if args.os else args.version, host, goal, own)
    if version == own and upgrading.load(host) is None:
        print(f"This node is {own} already; nothing was changed.")
        return 0
    options = Options(dry_run=args.dry_run, reboot=version == OS)
    upgrade_or_follow(host, goal, Upgrade(version, forced=args.force), options)
    if not args.dry_run:
        print(f"This node is {'up to date' if version == OS else version} now.")
    return 0


def _goal(args: argparse.Namespace, host: Host) -> Goal:
    """That of a member that nothing else is done to; from now on with the kit that was named."""
    if move_is_on(host):
        raise UsageError("the share is on its way to another place", "let that end first")
    if disabled.load(host) is not None:
        raise UsageError("this node is disabled", "first: sudo kubepi enable")
    goal = state.load_goal(host) if upgrading.load(host) is not None else member_goal(host)
    if goal is None:
        raise NoGoal("this Pi is in no cluster", "sudo kubepi init or sudo kubepi join")
    if not args.kit:
        return goal
    kit = os.path.abspath(args.kit)  # noqa: PTH100 - no symlink is to be resolved
    flagged = tuple(sorted({*goal.flagged, "downloads.kit"}))
    goal = replace(goal, settings={**goal.settings, "downloads.kit": kit}, flagged=flagged)
    if not args.dry_run:
        state.save_goal(host, goal)
    return goal


def target(
    typed: str | None, host: Host, goal: Goal, own: str, *, whole: bool = False
) -> str:
    """The version to go to; one that is on its way is gone on with.

    `whole`: with all other nodes, so that a worker need not follow its master.

    Raises:
        UsageError: another one is; PreflightFailed: there is none; NotYet: no master is heard.
    """
    before = upgrading.load(host)
    if before is not None:
        if typed in (None, before.version):
            return before.version
        if before.version != OS and newest([before.version], str(typed)) is not None:
            return before.version
        raise UsageError(f"{in_words(before.version)} is on its way", f"{AGAIN} with it")
    if typed == OS:
        return OS
    if goal.role == "worker" and not whole:
        master = the_master(host).kubernetes
        return choose([master], typed or master, own)
    return choose(offered(host, goal, own), typed or "newest", own)
