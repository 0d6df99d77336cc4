"""The cluster's one secret: whoever has it can join. Show it, change it, make one for another."""

import argparse

from kubepi.commands import changing
from kubepi.commands.rotating import rotate
from kubepi.decide.credentials import RANDOM_BYTES, new_token
from kubepi.errors import NoGoal
from kubepi.machine.host import Host
from kubepi.machine.rotation import load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=["show", "new", "rotate"],
        help="show: print this cluster's token, for join elsewhere; new: make one for another; "
        "rotate: give this cluster another one",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="rotate: only say who would get it")


def run(args: argparse.Namespace, host: Host) -> int:
    if args.action == "new":
        print(new_token(host.random("token", RANDOM_BYTES)))
        return 0
    changing.need_root(host, f"token {args.action}", args.dry_run)
    tokens = load(host)  # right also after a power cut in a change
    if tokens is None:
        raise NoGoal(
            "this Pi has no token yet", "kubepi init makes one; kubepi join asks for it"
        )
    if args.action == "rotate":
        return rotate(host, args.dry_run)
    print(tokens.token)
    return 0
