"""The cluster's one secret: whoever has it can join. Show it, or make one for a new cluster."""

import argparse

from kubepi.commands import changing
from kubepi.decide.credentials import RANDOM_BYTES, new_token
from kubepi.decide.goal import Secret
from kubepi.errors import NoGoal
from kubepi.machine import state
from kubepi.machine.host import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=["show", "new"],
        help="show: print this cluster's token, for join elsewhere; new: make one for another",
    )  # fmt: skip


def run(args: argparse.Namespace, host: Host) -> int:
    if args.action == "new":
        print(new_token(host.random("token", RANDOM_BYTES)))
        return 0
    changing.need_root(host, "token", dry_run=False)
    token = state.read_secret(host, Secret("token"))
    if token is None:
        raise NoGoal(
            "this Pi has no token yet", "kubepi init makes one; kubepi join asks for it"
        )
    print(token)
    return 0
