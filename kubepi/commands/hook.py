"""The first boot of a prepared card: put kubepi on this Pi; the next boot goes on with `up`."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kubepi.commands import changing
from kubepi.commands import settings as wanted
from kubepi.decide.goal import Goal, Secret
from kubepi.decide.plan import hook as plan
from kubepi.decide.settings import SECRETS
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.facts import boot_folder
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import ON_CARD, OWN_KIT
from kubepi.machine.runner import run_plan
from kubepi.reconcile import prepare_first_boot
from kubepi.steps.first_boot import ZONES
from kubepi.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    changing.add_run_options(parser)
    parser.add_argument(
        "--keep-token", action="store_true", help="the secrets stay on the boot partition"
    )


def run(args: argparse.Namespace, host: Host) -> int:
    changing.need_root(host, "hook", dry_run=False)
    folder = boot_folder(host)
    if folder is not None:
        run_plan(plan.dropped(folder, args.keep_token), host, Terminal(quiet_ok=True))
    before = state.load_goal(host)
    config = load(host, {})
    wanted.warn(config)
    secrets = {
        name: config.secrets.get(at) or state.read_secret(host, Secret(name))
        for at, name in SECRETS.items()
    }
    if secrets["token"] is None:
        raise UsageError(
            "kubepi.yaml on the boot partition has no cluster.token",
            "prepare the card with: kubepi.pyz sdcard, or write it there by hand",
        )
    if config.settings["wifi.ssid"] and secrets["wifi-psk"] is None:
        raise UsageError(
            "kubepi.yaml on the boot partition has wifi.ssid and no wifi.psk",
            "prepare the card with: kubepi.pyz sdcard --wifi SSID",
        )
    if before is None or before.verb == "up":
        # also after a failure: the card may have been corrected in the meantime
        settings, flagged = wanted.settings_of(args, config, before, host)
        if settings["downloads.kit"] == f"{folder}/{ON_CARD}":
            settings["downloads.kit"] = OWN_KIT  # it is moved there
        before = Goal("up", settings, flagged=flagged)
    else:
        given = _of_a_first_boot(config.settings)
        before = replace(before, settings={**before.settings, **given})
    known = {name: value for name, value in secrets.items() if value is not None}
    zone = config.settings["first_boot.timezone"]
    if zone and not host.exists(f"{ZONES}/{zone}"):
        print(f"note: this system knows no time zone {zone}; it stays as it is", file=sys.stderr)
    prepare_first_boot(before, host, known, args.keep_token)
    return 0


def _of_a_first_boot(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a prepared card may change on a Pi that is a member already."""
    names = ("first_boot.", "wifi.")
    return {name: value for name, value in settings.items() if name.startswith(names)}
