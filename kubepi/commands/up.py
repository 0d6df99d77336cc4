"""Find out with the other Pis what this one is to be, master or worker, and make it so."""

import argparse

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.decide.goal import TOKEN, Goal
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.reconcile import reconcile_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    changing.add_run_options(parser)
    wanted.add_settings(parser)
    parser.add_argument("--token-file", metavar="FILE", help="file that holds the cluster's token")
    parser.add_argument(
        "--forget", metavar="NAME", help="give up this elected Pi, which is lost, and vote anew"
    )


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "up", args.dry_run)
    before = state.load_goal(host)
    if before is not None and before.verb == "reset":
        raise UsageError("this Pi is being reset", "let it end: sudo kubepi reset")
    config = load(host, wanted.flags(args))
    wanted.warn(config)
    settings, flagged = wanted.settings_of(args, config, before, host)
    given = changing.read_token(args, host)
    if not (given or config.token) and state.read_secret(host, TOKEN) is None:
        raise UsageError(
            "up needs the cluster's token: all Pis of a cluster have the same",
            "write it into kubepi.yaml as cluster.token, or give it by --token-file FILE; "
            "kubepi init makes a new one",
        )
    if args.forget:
        _forget(args.forget, before, host)
    verb = "up" if before is None else before.verb
    admin = changing.calling_user() or (None if before is None else before.admin)
    as_master = before is not None and before.as_master
    goal = Goal(verb, settings, admin=admin, flagged=flagged, as_master=as_master)
    done = reconcile_up(goal, host, changing.options(args, given, config.token))
    now = state.load_goal(host)
    if not args.dry_run and now is not None:
        name = now.settings["cluster.name"]
        rest = "already; nothing was changed" if changing.nothing_changed(done) else "now"
        print(f"This Pi is a {now.role} of the cluster {name!r} {rest}.{_why(host)}")
    return 0


def _why(host: Host) -> str:
    decision = state.read_json(host, state.ELECTION)
    return "" if decision is None else f"\n  why:  {decision['reason']}"


def _forget(name: str, before: Goal | None, host: Host) -> None:
    """Tell the agent, which is the one that votes.

    Raises:
        UsageError: that Pi is not what this one waits for.
    """
    decision = state.read_json(host, state.ELECTION) or {}
    waits = decision.get("verdict") == "wait" and decision.get("master")
    if before is None or before.verb != "up" or not waits:
        raise UsageError(
            "this Pi does not wait for an elected one that is lost",
            "kubepi status says what it waits for",
        )
    if name not in (decision["name"], decision["master"]):
        raise UsageError(
            f"this Pi waits for {decision['name']}, not for {name}",
            f"if that one is lost: sudo kubepi up --forget {decision['name']}",
        )
    host.write(state.FORGET, f"{decision['master']}\n")
