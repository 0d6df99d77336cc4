"""`storage migrate`: what is typed, what is in the way, and what was done."""

import argparse
from dataclasses import replace

from kubepi.cluster import users
from kubepi.commands import changing
from kubepi.decide.goal import Goal
from kubepi.decide.move import Move, Place, parse_target
from kubepi.decide.share import MASTER, is_address
from kubepi.decide.values import Wrong
from kubepi.errors import PreflightFailed, StepFailed, UsageError
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.lock import locked
from kubepi.reconcile import Options, move_is_on, reconcile, reconcile_move
from kubepi.steps.copying import unmount_outside
from kubepi.steps.disks import FolderOpened
from kubepi.steps.kubeadm import node_name
from kubepi.steps.mounts import MountEnded
from kubepi.steps.moving import MOVE, load_move, refuse_loners, save_move, start_users
from kubepi.steps.parts import make_right
from kubepi.steps.target_problems import target_problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    places = "a folder (/srv/new), a disk (/dev/disk/by-id/…) or a NAS (192.168.1.9:/export/pi)"
    parser.add_argument("--to", metavar="PLACE", help=places)
    parser.add_argument("--forget-old", action="store_true", help="remove what a move left behind")
    parser.add_argument("--cancel", action="store_true", help="back to the old place")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def migrate(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    if goal.verb != "init":
        raise UsageError(
            "the share is moved by the master that made the cluster",
            f"run it there: {changing.master_named(host)}, sudo kubepi storage migrate …",
        )
    if bool(args.to) + args.forget_old + args.cancel != 1:
        raise UsageError(
            "say one of --to PLACE, --forget-old, --cancel", "kubepi storage migrate --help"
        )
    if args.forget_old:
        return _forget(args, host, goal)
    if args.cancel:
        return _cancel(host)
    before = load_move(host)
    target = _target(args.to, goal, before)
    if before is not None and not before.is_over:
        if before.target.where != target.where:
            raise UsageError(
                f"a move to {before.target} is on its way",
                "the same --to again lets it end; --cancel goes back to the old place",
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
    problem = target_problem(host, goal, source, target)
    if problem is not None:
        raise PreflightFailed(f"the share cannot move to {target}: {problem[0]}", problem[1])
    refuse_loners(users.loners(users.everything(host)))
    with locked(host, "storage migrate"):
        # first that something is to be gone on with, so that no boot overlooks it
        host.write(state.PENDING, "", 0o600)
        save_move(host, Move(source, target))


def _target(text: str, goal: Goal, before: Move | None) -> Place:
    taken = [str(goal.settings["storage.nfs.path"])]
    if before is not None and before.is_over:
        taken.append(before.source.path)
    try:
        return parse_target(text, tuple(taken))
    except Wrong as wrong:
        sentence, _, hint = str(wrong).partition("; ")
        raise UsageError(f"--to {sentence}", hint) from None


def _refuse_kept(move: Move) -> None:
    if move.has_data and not move.forgotten:
        raise UsageError(
            f"what the last move left is still there: {move.source}",
            "sudo kubepi storage migrate --forget-old, then move again",
        )


def _cancel(host: Host) -> int:
    """The old place is the truth until the switch, so that nothing is lost by going back."""
    move = load_move(host)
    if move is None or move.is_over:
        print("no move is on its way")
        return 0
    if move.has_reached("switched"):
        raise UsageError(
            f"the share is {move.target} already", "let it end: sudo kubepi storage migrate --to …"
        )
    goal = state.load_goal(host)
    assert goal is not None
    with locked(host, "storage migrate --cancel"):
        start_users(host, move)
        unmount_outside(host)
        if move.target.device:
            make_right([MountEnded(move.target.path), FolderOpened(move.target.path)], host)
        host.remove(MOVE)
    reconcile(goal, host, Options(quiet_ok=True))
    print(f"The share is {move.source}, as before. What was copied to {move.target} stays there.")
    return 0


def _forget(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    move = load_move(host)
    if move is not None and Place.of(goal.settings).where == move.source.where:
        raise UsageError(f"{move.source} is what the share is now", "let the move end first")
    if move is None or move.forgotten or not move.has_data:
        print("nothing is left of an earlier place")
        return 0
    if move_is_on(host):
        raise UsageError("the move is not over yet", "let it end first: the same --to again")
    if not args.yes and not changing.agreed(f"The old data, {move.source}, is given up.", "Sure?"):
        raise UsageError("this was not confirmed; nothing was removed", "--yes does not ask")
    forget(host, move)
    return 0


def forget(host: Host, move: Move) -> None:
    old = move.source
    with locked(host, "storage migrate --forget-old"):
        if is_address(old.server):
            print(f"{old} is no disk of a Pi: what is on it stays; kubepi knows nothing of it now")
        elif old.server not in (MASTER, node_name(host)):
            print(f"{old} is on the node {old.server}: what is there stays")
        elif old.device:
            make_right([MountEnded(old.path), FolderOpened(old.path)], host)
            print(f"{old.device} is not mounted any more; what is on it stays until you wipe it")
        elif move.target.is_within(old) or old.is_within(move.target):
            raise StepFailed(f"{old.path} and {move.target.path} are within each other", "")
        else:
            host.remove_tree(old.path)
            print(f"removed {old.path}")
        save_move(host, replace(move, forgotten=True))
