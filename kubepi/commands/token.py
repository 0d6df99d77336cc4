"""The cluster's one secret: whoever has it can join."""

import argparse

from kubepi.commands import changing
from kubepi.decide.goal import Secret
from kubepi.errors import NoGoal
from kubepi.machine import state
from kubepi.machine.host import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["show"], help="print the token, for join elsewhere")


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "token", dry_run=False)
    token = state.read_secret(host, Secret("token"))
    if token is None:
        raise NoGoal(
            "this Pi has no token yet", "kubepi init makes one; kubepi join asks for it"
        )
    print(token)
    return 0
