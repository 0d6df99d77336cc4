"""`storage migrate`: what is typed, what is in the way, and what was done."""

import argparse
import sys
from dataclasses import replace

from kubepi.cluster import users
from kubepi.decide.goal import Goal
from kubepi.decide.move import Move, Place, parse_target
from kubepi.decide.share import is_address
from kubepi.decide.values import Wrong
from kubepi.errors import PreflightFailed, UsageError
from kubepi.lan.peers import the_master
from kubepi.machine import state
from kubepi.machine.disks import WIPE, content_of_disk, described
from kubepi.machine.host import Host
from kubepi.reconcile import Options, move_is_on, reconcile_move
from kubepi.report.storage import bytes_text
from kubepi.steps.copying import folder_of
from kubepi.steps.mounts import MountEnded
from kubepi.steps.moving import load_move, refuse_loners, save_move
from kubepi.steps.share_problems import disk_problem, folder_problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    places = "a folder (/srv/new), a disk (/dev/disk/by-id/…) or a NAS (192.168.1.9:/export/pi)"
    parser.add_argument("--to", metavar="PLACE", help=places)
    parser.add_argument("--forget-old", action="store_true", help="remove what a move left behind")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def migrate(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    if goal.role != "master":
        raise UsageError(
            "the share is moved by the master",
            f"run it there: {the_master(host).node}, sudo kubepi storage migrate …",
        )
    if bool(args.to) == args.forget_old:
        raise UsageError("say either --to PLACE or --forget-old", "kubepi storage migrate --help")
    if args.forget_old:
        return _forget(args, host)
    target = _target(args.to, goal, host)
    before = load_move(host)
    if before is not None and not before.is_over:
        if (before.target.server, before.target.device or before.target.path) != (
            target.server, target.device or target.path,
        ):  # fmt: skip
            raise UsageError(
                f"a move to {before.target} is on its way", "let it end first: the same --to again"
            )
    else:
        if before is not None:
            _refuse_kept(before)
        begin(host, goal, target)
    reconcile_move(host, Options())
    move = load_move(host)
    assert move is not None
    print(f"The share is {move.target} now; every file was compared.")
    if move.has_data:
        print(f"The old data is still there: {move.source}. When it is not needed any more:")
        print("  sudo kubepi storage migrate --forget-old")
    return 0


def begin(host: Host, goal: Goal, target: Place) -> None:
    """Look for all that is in the way; only then note the move."""
    source = Place.of(goal.settings)
    problem = target_problem(host, source, target)
    if problem is not None:
        raise PreflightFailed(f"the share cannot move to {target}: {problem[0]}", problem[1])
    refuse_loners(users.loners(users.everything(host)))
    with state.locked(host, "storage migrate"):
        # first that something is to be gone on with, so that no boot overlooks it
        host.write(state.PENDING, "", 0o600)
        save_move(host, Move(source, target))


def _target(text: str, goal: Goal, host: Host) -> Place:
    move = load_move(host)
    taken = [str(goal.settings["storage.nfs.path"])]
    if move is not None:
        taken += [move.source.path] if move.is_over else []
    try:
        return parse_target(text, tuple(taken))
    except Wrong as wrong:
        sentence, _, hint = str(wrong).partition("; ")
        raise UsageError(f"--to {sentence}", hint) from None


def target_problem(host: Host, source: Place, target: Place) -> tuple[str, str] | None:
    """A sentence and its cure; nothing is changed for it."""
    if (target.server, target.path, target.device) == (source.server, source.path, source.device):
        return "it is there already", "name another place"
    if is_address(target.server):
        return None  # whether it answers is the first thing that the move itself finds out
    if target.device:
        return _new_disk_problem(host, target.device)
    problem = folder_problem(host, target.path)
    if problem is None and host.listdir(target.path):
        problem = f"{target.path} is not empty", "name an empty folder, or one that is not there"
    return problem or _room_problem(host, source, target)


def _new_disk_problem(host: Host, disk: str) -> tuple[str, str] | None:
    """An older share's disk is one with data, too."""
    problem = disk_problem(host, disk)
    if problem is None and (content := content_of_disk(host, disk)):
        return f"{disk} holds {described(content)}", WIPE + disk
    return problem


def _room_problem(host: Host, source: Place, target: Place) -> tuple[str, str] | None:
    if source.server == "none":
        return None
    folder = folder_of(host, source)
    used = host.probe(["du", "-sx", "--block-size=1", str(host.path(folder))], timeout=600)
    needed, free = int((used.stdout.split() or ["0"])[0]), host.free_bytes(target.path)
    if needed < free:
        return None
    return (
        f"it needs {bytes_text(needed)}, and {bytes_text(free)} are free there",
        "name a larger disk (--to /dev/disk/by-id/…)",
    )


def _refuse_kept(move: Move) -> None:
    if move.has_data and not move.forgotten:
        raise UsageError(
            f"what the last move left is still there: {move.source}",
            "sudo kubepi storage migrate --forget-old, then move again",
        )


def _forget(args: argparse.Namespace, host: Host) -> int:
    move = load_move(host)
    if move is None or move.forgotten or not move.has_data:
        print("nothing is left of an earlier place")
        return 0
    if move_is_on(host):
        raise UsageError("the move is not over yet", "let it end first: the same --to again")
    if not args.yes and not _agreed(move):
        raise UsageError("this was not confirmed; nothing was removed", "--yes does not ask")
    forget(host, move)
    return 0


def forget(host: Host, move: Move) -> None:
    old = move.source
    with state.locked(host, "storage migrate --forget-old"):
        if is_address(old.server):
            print(f"{old} is no disk of a Pi: what is on it stays; kubepi knows nothing of it now")
        elif old.device:
            MountEnded(old.path).apply(host)
            print(f"{old.device} is not mounted any more; what is on it stays until you wipe it")
        else:
            host.remove_tree(old.path)
            print(f"removed {old.path}")
        save_move(host, replace(move, forgotten=True))


def _agreed(move: Move) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"The old data, {move.source}, is given up. Sure? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
