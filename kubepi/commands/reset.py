"""Give this Pi back as it was before kubepi: out of the cluster, packages and files as before."""

import argparse

from kubepi.commands import changing
from kubepi.decide.goal import Goal
from kubepi.errors import NoGoal, UsageError
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS
from kubepi.machine.host import Host
from kubepi.reconcile import reconcile
from kubepi.steps.more_masters import is_one_of_several, refuse_breaking

KEPT = (
    "data of the share and of local volumes, a renewed machine-id and SSH keys, user accounts, "
    f"backups ({BACKUPS}), /var/log/kubepi.log"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--force", action="store_true", help="a master: even if the others cannot go on without it"
    )
    parser.add_argument("--reboot", action="store_true", help="reboot where one is needed")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "reset", args.dry_run)
    before = state.load_goal(host)
    if before is None:
        raise NoGoal("kubepi has nothing on this Pi to take back", "")
    was = before.was if before.verb == "reset" else before.verb
    several = before.as_master if before.verb == "reset" else is_one_of_several(host)
    if several and before.verb != "reset" and not args.force:
        refuse_breaking(host)
    if not args.dry_run and not args.yes and not _agreed(before, several):
        raise UsageError("reset was not confirmed; nothing was changed", "--yes does not ask")
    args.ignore = []
    goal = Goal("reset", before.settings, was=was, admin=before.admin, as_master=several)
    reconcile(goal, host, changing.options(args))
    if not args.dry_run:
        print(f"This Pi is as it was before kubepi. Kept: {KEPT}.")
    return 0


def _agreed(goal: Goal, several: bool) -> bool:
    cluster = repr(goal.settings["cluster.name"])
    what = f"a worker of {cluster}: its pods move to other nodes"
    if goal.role == "master":
        what = "the only master: the whole cluster ends"
    if several:
        what = f"one of the masters of {cluster}: the others go on without it"
    return changing.agreed(f"This Pi is {what}.", "Reset it?")
