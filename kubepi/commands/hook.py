"""The first boot of a prepared card: put kubepi on this Pi; the next boot goes on with `up`."""

import argparse

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.decide.goal import Goal, Secret
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host
from kubepi.reconcile import prepare_first_boot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    changing.add_run_options(parser)
    parser.add_argument(
        "--keep-token", action="store_true", help="the token stays on the boot partition"
    )


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "hook", dry_run=False)
    before = state.load_goal(host)
    config = load(host, {})
    wanted.warn(config)
    token = config.token or state.read_secret(host, Secret("token"))
    if token is None:
        raise UsageError(
            "kubepi.yaml on the boot partition has no cluster.token",
            "prepare the card with: kubepi.pyz sdcard, or write it there by hand",
        )
    if before is None:
        settings, flagged = wanted.settings_of(args, config, None, host)
        before = Goal("up", settings, flagged=flagged)
    prepare_first_boot(before, host, token, args.keep_token)
    return 0
