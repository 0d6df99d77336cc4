"""A master again from a backup: on the same Pi, or on a new board in the place of a lost one."""

import argparse
import os
from pathlib import Path

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.commands.fetching import fetch_newest, opened
from kubepi.commands.restorable import refuse
from kubepi.decide.backup import Manifest
from kubepi.decide.goal import Goal
from kubepi.errors import PreflightFailed, UsageError
from kubepi.machine import restoring, state
from kubepi.machine.archive import verify
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.machine.interfaces import read_network
from kubepi.machine.kitfiles import CONTENTS
from kubepi.machine.lock import locked
from kubepi.reconcile import reconcile_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="what kubepi backup made")
    parser.add_argument(
        "--from", dest="from_node", metavar="NODE", help="fetch the newest one of this node"
    )
    parser.add_argument("--token-file", metavar="FILE", help="the cluster's token of today")
    changing.add_run_options(parser)
    parser.add_argument("--kit", metavar="DIR", help="offline kit with packages and images")
    parser.add_argument("--address", metavar="IP", help="address of this node in the cluster")
    parser.add_argument(
        "--force", action="store_true",
        help="give up data of etcd that still opens, and a master heard with another token",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "restore", args.dry_run)
    if bool(args.file) == bool(args.from_node):
        raise UsageError("say one of FILE, --from NODE", "kubepi backup list names the files")
    if args.dry_run and args.from_node:
        raise UsageError("--dry-run looks into a FILE that is here", "leave --dry-run out")
    found = Path(args.file).absolute() if args.file else fetch_newest(args, host)
    source = opened(args, host, found)
    manifest = verify(source)
    given = changing.read_token(args, host)
    refuse(host, manifest, source, args.force, given)
    if args.dry_run:
        print(f"would restore {manifest.said}, Kubernetes {manifest.kubernetes}")
        return 0
    if args.force and not args.yes and not changing.agreed(_about(manifest), "Restore it?"):
        raise UsageError("restore was not confirmed; nothing was changed", "--yes does not ask")
    with locked(host, "restore"):
        restoring.lay_out(host, source, given)
    before = state.load_goal(host)
    goal = _goal(args, host, manifest, before)
    try:
        reconcile_up(goal, host, changing.options(args, given))
    except PreflightFailed:
        if state.load_goal(host) == before:  # nothing was changed, so nothing is left
            host.remove_tree(restoring.RESTORE)
        raise
    print(
        f"This Pi is {manifest.node}, the master of {manifest.cluster!r}, as of {manifest.said}.\n"
        "  the workers come by themselves:  sudo kubepi status"
    )
    return 0


def _about(manifest: Manifest) -> str:
    return f"All that was changed in the cluster since {manifest.said} is lost."


def _goal(
    args: argparse.Namespace, host: Host, manifest: Manifest, before: Goal | None
) -> Goal:
    """What the master was to be, as far as it fits this Pi."""
    import json

    text = restoring.content_of(host, state.GOAL)
    assert text is not None, "a backup holds the goal"
    was = Goal.from_json(json.loads(text))
    flags = wanted.flags(args)
    # settings that a newer kubepi knows besides
    settings = {**load(host, flags).settings, **was.settings, "node.name": manifest.node}
    kit = str(settings["downloads.kit"])
    if kit and not host.exists(f"{kit}/{CONTENTS}"):
        settings["downloads.kit"] = os.environ.get("KUBEPI_KIT", "")
    network = read_network(host)[1]
    if network is not None and network.address != settings["node.address"]:
        settings["node.address"] = ""
    settings |= {name: value for name, (_, value) in flags.items()}
    flagged = {*was.flagged, *flags, "node.name"}
    admin = changing.calling_user() or (None if before is None else before.admin)
    return Goal("restore", settings, admin=admin, flagged=tuple(sorted(flagged)))
