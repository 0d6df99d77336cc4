"""Find the master on the LAN by its signed advert, and join it: as a worker, or beside it."""

import argparse
import getpass
import sys

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.decide.adverts import Advert
from kubepi.decide.credentials import advert_key, normalise_token
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.masters import TWO
from kubepi.errors import KubepiError, UsageError
from kubepi.lan.peers import other_masters
from kubepi.lan.rendezvous import meet
from kubepi.machine import rotation, state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.reconcile import reconcile

OF_ROLE = {None: "", "worker": "", "master": " --role master"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    changing.add_run_options(parser)
    wanted.add_settings(parser)
    parser.add_argument("--token-file", metavar="FILE", help="file that holds the cluster's token")
    parser.add_argument(
        "--master", metavar="ADDRESS", help="ask this address where multicast does not pass"
    )
    parser.add_argument(
        "--role", choices=["worker", "master"], help="master: one more of them, with the API"
    )
    parser.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="how long to look (30)"
    )


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "join", args.dry_run)
    before = state.load_goal(host)
    asked = args.role or ("worker" if before is None else before.role)
    if before is not None and (before.verb != "join" or before.role != asked):
        raise UsageError(
            f"this Pi is the {before.role} of the cluster {before.settings['cluster.name']!r}",
            f"a node changes its role by: kubepi reset, then kubepi join{OF_ROLE[args.role]}",
        )
    flags = wanted.flags(args)
    if args.master:
        flags["cluster.seeds"] = ("--master", [args.master])
    config = load(host, flags)
    wanted.warn(config)
    # what was decided at the first join stays decided: cluster, name, address
    settings, flagged = wanted.settings_of(args, config, before, host)
    admin = changing.calling_user() or (None if before is None else before.admin)
    goal = Goal("join", settings, admin=admin, flagged=flagged, as_master=asked == "master")
    given = changing.read_token(args, host)
    if before is not None and state.goal_reached(host):
        return _finish(args, host, goal, given, None)
    # one of before the last change of it finds nobody any more
    configured = None if rotation.is_changed(host) else config.token
    own = configured or state.read_secret(host, TOKEN)
    given = given or (_typed() if own is None else None)
    token = given or own
    assert token is not None
    host.log.hide(token)
    master = _find(args, host, settings, token, "cluster.name" in config.own)
    settings["cluster.name"] = master.cluster
    return _finish(args, host, goal, given, configured)


def _finish(
    args: argparse.Namespace, host: Host, goal: Goal, given: str | None, configured: str | None
) -> int:
    done = reconcile(goal, host, changing.options(args, given, configured))
    name = goal.settings["cluster.name"]
    if args.dry_run:
        return 0
    if changing.nothing_changed(done):
        print(f"This Pi is a member of {name!r} already; nothing was changed.")
    else:
        print(
            f"This Pi is a {goal.role} of the cluster {name!r}.\n  how is it:  sudo kubepi status"
        )
    if goal.role == "master" and len(other_masters(host)) == 1:
        print(f"warning: {TWO[0]}\nhint: {TWO[1]}", file=sys.stderr)
    return 0


def _typed() -> str:
    if sys.stdin.isatty():
        return normalise_token(getpass.getpass("Token of the cluster: "))
    raise UsageError(
        "join needs the cluster's token",
        "print it on the master with `sudo kubepi token show`, then give it by --token-file "
        "FILE or KUBEPI_TOKEN, or type it on a terminal",
    )


def _find(
    args: argparse.Namespace, host: Host, settings: dict[str, object], token: str, named: bool
) -> Advert:
    """The master's advert, before anything is changed."""
    seeds = settings["cluster.seeds"]
    assert isinstance(seeds, list)
    print("looking for the master …", file=sys.stderr)
    found = meet(host, advert_key(token), seeds, args.wait)
    if named and found.cluster != settings["cluster.name"]:
        raise KubepiError(
            f"the master {found.node} that this token opens is of the cluster "
            f"{found.cluster!r}, not {settings['cluster.name']!r}",
            "take cluster.name out of kubepi.yaml, or use the token of the other cluster",
        )
    print(f"found {found.node} ({found.address}), master of {found.cluster!r}", file=sys.stderr)
    return found
