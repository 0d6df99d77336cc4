"""Make this Pi the master of a new cluster."""

import argparse

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.decide.goal import Goal
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.reconcile import reconcile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    changing.add_run_options(parser)
    wanted.add_settings(parser)
    parser.add_argument("--token-file", metavar="FILE", help="use this cluster token")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "init", args.dry_run)
    before = state.load_goal(host)
    if before is not None and before.verb != "init":
        raise UsageError(
            f"this Pi is a {before.role} of the cluster {before.settings['cluster.name']!r}",
            "a node changes its role by: kubepi reset, then kubepi init",
        )
    config = load(host, wanted.flags(args))
    wanted.warn(config)
    settings, flagged = wanted.settings_of(args, config, before, host)
    admin = changing.calling_user() or (None if before is None else before.admin)
    goal = Goal("init", settings, admin=admin, flagged=flagged)
    given = changing.read_token(args, host)
    done = reconcile(goal, host, changing.options(args, given, config.token))
    if not args.dry_run:
        print(_message(host, goal, changing.nothing_changed(done)))
    return 0


def _message(host: Host, goal: Goal, unchanged: bool) -> str:
    name = goal.settings["cluster.name"]
    if unchanged:
        return f"This Pi is the master of {name!r} already; nothing was changed."
    admin = "" if goal.admin is None else f" (and {goal.admin.home}/.kube/config)"
    return f"""\
This Pi is the master of the cluster {name!r}.

  On every other Pi:   sudo python3 kubepi.pyz join
  which asks for the token; print it here with:   sudo kubepi token show
  (whoever has the token can join: it is in {state.STATE}/secrets/token, root only)

  kubectl works here for root at once: /root/.kube/config{admin}
  for a laptop:        sudo kubepi kubeconfig > config
  how is it:           sudo kubepi status"""
