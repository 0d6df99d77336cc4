"""The cluster's state in one file: made, copied to another node, listed."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from kubepi.commands import changing
from kubepi.commands.spreading import made_lately, spread
from kubepi.decide.backup import file_name, time_text
from kubepi.decide.peerbook import ready_masters
from kubepi.decide.plan import backup
from kubepi.errors import NoGoal, NotYet, UsageError
from kubepi.lan.peers import read_peers
from kubepi.machine import disabled, state
from kubepi.machine.backups import BACKUPS, COPIES, Kept, kept_in
from kubepi.machine.host import Host
from kubepi.reconcile import Options, run_beside
from kubepi.report.storage import bytes_text
from kubepi.report.table import table

LATELY = 2700.0  # seconds; the timers of further masters are 20 to 30 minutes behind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["make", "list"], default="make")
    parser.add_argument("--to", metavar="DIR", help="a copy there too; share: in the share")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument("--json", action="store_true", help="list for programs")
    parser.add_argument(
        "--scheduled", action="store_true",
        help="as the timer asks: a further master makes one only if no other has made it lately",
    )  # fmt: skip


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, f"backup {args.action}", args.dry_run)
    if args.action == "list":
        return _list(host, args.json)
    goal = state.load_goal(host)
    if goal is None or not goal.is_member or goal.role != "master":
        raise NoGoal(
            "this Pi is no master: only a master has what a backup holds",
            f"run it there: {changing.master_named(host)}, sudo kubepi backup",
        )
    if disabled.is_disabled(host):
        raise UsageError("this node is disabled: etcd is off", "sudo kubepi enable, then again")
    if host.exists(state.REPLACED):
        raise UsageError(
            "the cluster was restored and goes on without this master",
            "sudo kubepi doctor says where",
        )
    if args.scheduled and not goal.makes_cluster and (done := _done_by_others(host)):
        print(f"{done} was made lately")
        return 0
    name = file_name(str(goal.settings["cluster.name"]), host.now())
    keep = int(goal.settings["backup.keep"])
    plan = backup.plan(name, keep, _folder(args.to, host), is_shared=args.to == "share")
    run_beside("backup", plan, host, Options(dry_run=args.dry_run))
    if not args.dry_run:
        print(f"{host.path(BACKUPS)}/{name}")
        copies = ", ".join(spread(host, name)) or "no other node has it: keep a copy elsewhere"
        print(f"copies: {copies}")
    return 0


def _done_by_others(host: Host) -> str | None:
    """Further masters' timers come later, and do what nobody did.

    Raises:
        NotYet: no other master is heard; where etcd has a quorum, one is.
    """
    if not ready_masters(read_peers(host).values(), host.monotonic()):
        raise NotYet("another master, which may have made a backup")
    return made_lately(host, LATELY)


def _folder(to: str | None, host: Host) -> str:
    """Where a copy is wanted besides; "" for nowhere."""
    if not to:
        return ""
    if to != "share":
        return str(Path(to).absolute())
    share = state.followed_share(host)
    if share is None:
        raise UsageError("this cluster has no share", "--to DIR takes a folder instead")
    return f"{share.mount}/.kubepi-backups"


def _list(host: Host, as_json: bool) -> int:
    found = [*kept_in(host, BACKUPS), *kept_in(host, COPIES)]
    if as_json:
        print(json.dumps([_row_of(kept) for kept in found], indent=1))
        return 0
    if not found:
        print("no backup lies here")
        return 0
    rows = [
        (
            "damaged" if kept.manifest is None else time_text(kept.manifest.made),
            "" if kept.manifest is None else kept.manifest.node,
            bytes_text(kept.size),
            str(kept.path),
        )
        for kept in found
    ]
    print("\n".join(table([("MADE", "MASTER", "SIZE", "FILE"), *rows])))
    return 0


def _row_of(kept: Kept) -> dict[str, object]:
    about = {} if kept.manifest is None else asdict(kept.manifest)
    about.pop("files", None)
    return {"file": str(kept.path), "size": kept.size, "whole": bool(about), **about}
