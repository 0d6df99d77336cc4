"""The share that all nodes have: show it, check it from every node, move its data elsewhere."""

import argparse
import json
import sys
from dataclasses import asdict

from kubepi.commands import changing, moving
from kubepi.decide.goal import Goal
from kubepi.decide.wish import CHECK_SHARE
from kubepi.errors import NoGoal, StepFailed
from kubepi.lan.wishing import asked
from kubepi.machine import state
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.report.storage import Storage, add_users, bytes_text, look_at_share
from kubepi.report.table import table
from kubepi.steps.kubeadm import node_name
from kubepi.steps.share_check import SECONDS, Checked, check_share, result_file, take_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="show | check | migrate", required=True)
    show = actions.add_parser("show", help="server, room, who mounts it, which claims use it")
    show.add_argument("--json", action="store_true", help="for programs")
    actions.add_parser("check", help="write, read back, sync and rename a file from every node")
    moving.add_arguments(actions.add_parser("migrate", help="move the data to another place"))


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, f"storage {args.action}", False)
    goal = state.load_goal(host)
    if goal is None or not goal.is_member:
        raise NoGoal("this Pi is in no cluster", "sudo kubepi init or sudo kubepi join")
    if args.action == "migrate":
        return moving.migrate(args, host, goal)
    if args.action == "check":
        return _check(host, goal)
    return show(ReadOnlyHost(host.root, host.log), goal, args.json)


def _seen(host: Host, goal: Goal) -> Storage:
    storage = look_at_share(host, goal)
    if storage is None:
        raise StepFailed("this cluster has no share", "sudo kubepi storage migrate --to makes one")
    add_users(storage, host, goal)
    return storage


def show(host: Host, goal: Goal, as_json: bool) -> int:
    storage = _seen(host, goal)
    if as_json:
        print(json.dumps(asdict(storage), indent=1))
        return 1 if storage.ailment else 0
    share, room = storage.share, storage.room
    print(f"share    {share.source}, served by {storage.server}")
    print(f"mount    {share.mount} on {', '.join(storage.mounted)}")
    if storage.missing:
        print(f"         not yet on {', '.join(storage.missing)}")
    if room is not None:
        print(f"room     {bytes_text(room.free)} free of {bytes_text(room.size)}")
    if storage.ailment:
        print(f"problem  {storage.ailment}")
    print()
    if storage.claims:
        claims = [(c.name, c.size, c.folder, ", ".join(c.pods) or "-") for c in storage.claims]
        print("\n".join(table([("CLAIM", "ASKED", "FOLDER", "USED BY"), *claims])))
    else:
        print(storage.silent or "no claim uses it")
    return 1 if storage.ailment else 0


def _check(host: Host, goal: Goal) -> int:
    """A wish to all others; each leaves its result in the share."""
    storage = _seen(host, goal)
    own = node_name(host)
    others = [node for node in storage.mounted if node != own]
    with asked(host, CHECK_SHARE) as number:
        rows = [check_share(host, storage.share, own)]
        _tell(rows[0])
        for node in others if not rows[0].why else ():
            rows.append(_result_of(host, storage, number, node))
            _tell(rows[-1])
    for node in storage.missing:
        print(f"{node}: does not have the share")
    return 1 if storage.missing or any(row.why for row in rows) else 0


def _result_of(host: Host, storage: Storage, number: str, node: str) -> Checked:
    def seen() -> str | None:
        done = host.exists(result_file(storage.share, number, node))
        return None if done else "no result"

    try:
        host.wait_until(node, seen, SECONDS)
    except StepFailed:
        why = f"no result within {SECONDS:.0f} s: it cannot write, or is off"
        return Checked(node, why, SECONDS)
    found = take_result(host, storage.share, number, node)
    return found or Checked(node, "its result cannot be read", 0.0)


def _tell(row: Checked) -> None:
    well = f"1 MB written, read back, synced and renamed in {row.seconds:.2f} s"
    print(f"{row.node}: {row.why or well}")
    sys.stdout.flush()
