"""Give this Pi back as it was before kubepi: out of the cluster, packages and files as before."""

import argparse

from kubepi.commands import changing
from kubepi.decide.goal import Goal
from kubepi.errors import NoGoal, UsageError
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.reconcile import reconcile

KEPT = (
    "data of the share and of local volumes, a renewed machine-id and SSH keys, user accounts, "
    "backups, /var/log/kubepi.log"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--reboot", action="store_true", help="reboot where one is needed")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "reset", args.dry_run)
    before = state.load_goal(host)
    if before is None:
        raise NoGoal("kubepi has nothing on this Pi to take back", "")
    was = before.was if before.verb == "reset" else before.verb
    if not args.dry_run and not args.yes and not _agreed(before):
        raise UsageError("reset was not confirmed; nothing was changed", "--yes does not ask")
    args.ignore = []
    goal = Goal("reset", before.settings, was=was, admin=before.admin)
    reconcile(goal, host, changing.options(args))
    if not args.dry_run:
        print(f"This Pi is as it was before kubepi. Kept: {KEPT}.")
    return 0


def _agreed(goal: Goal) -> bool:
    what = (
        "the only master: the whole cluster ends"
        if goal.role == "master"
        else f"a worker of {goal.settings['cluster.name']!r}: its pods move to other nodes"
    )
    return changing.agreed(f"This Pi is {what}.", "Reset it?")
