"""From the command line and kubepi.yaml to a goal's settings, for init and join."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kubepi.addons import read_catalogue
from kubepi.decide.addon_choice import DROPPED, chosen, typed_before
from kubepi.decide.addons import INSTALL, SETTINGS
from kubepi.decide.config import Config
from kubepi.decide.goal import Goal
from kubepi.decide.kit import newest
from kubepi.decide.proxy import from_environment
from kubepi.decide.settings import checked
from kubepi.decide.values import Wrong
from kubepi.errors import UsageError
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import CONTENTS, ON_CARD, OWN_KIT

VERSION = "kubernetes.version"
# flag -> dotted name of the setting it sets
SETTING_OF = {
    "kit": ("--kit", "downloads.kit"),
    "cluster": ("--cluster", "cluster.name"),
    "kubernetes": ("--kubernetes", "kubernetes.version"),
    "node_name": ("--node-name", "node.name"),
    "address": ("--address", "node.address"),
}


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kit", metavar="DIR", help="offline kit with packages and images")
    parser.add_argument("--cluster", metavar="NAME", help="name of the cluster")
    parser.add_argument("--kubernetes", metavar="VERSION", help="v1.36.3, 1.36 or newest")
    parser.add_argument("--node-name", metavar="NAME", help="name of this node")
    parser.add_argument("--address", metavar="IP", help="address of this node in the cluster")


def flags(args: argparse.Namespace) -> dict[str, tuple[str, Any]]:
    """Dotted name -> (flag as typed, value), for the settings given on the command line."""
    given = {}
    for attribute, (flag, setting) in SETTING_OF.items():
        value = getattr(args, attribute, None)
        if value is not None:
            if setting == "downloads.kit":
                value = os.path.abspath(value)  # noqa: PTH100 - no symlink is to be resolved
            given[setting] = (flag, value)
    return given


def warn(config: Config) -> None:
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def settings_of(
    args: argparse.Namespace, config: Config, before: Goal | None, host: Host
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings for the new goal, and which of them came from flags, now or at an earlier run.

    Raises:
        ConfigError: what is fixed was changed.
    """
    flagged = {name for name, source in config.sources.items() if source.startswith("--")}
    if before is not None:
        config = config.keeping(before.settings, before.flagged)
        if before.verb != "up":  # nothing is fixed before it is decided what this Pi becomes
            config.refuse_changes(as_upgraded(before.settings, config, host))
        flagged |= {name for name in before.flagged if name not in config.own}
    settings = dict(config.settings)
    # a waiver holds after the reboot too, when nobody types it again
    waived = {*settings["preflight.ignore"], *args.ignore}
    if before is not None and "--ignore" in before.flagged:
        waived |= set(before.settings["preflight.ignore"])
    settings["preflight.ignore"] = sorted(waived)
    if args.ignore:
        flagged.add("--ignore")
    if not settings["downloads.kit"]:
        kept = "" if before is None else str(before.settings["downloads.kit"])
        settings["downloads.kit"] = _found_kit(host) or kept
    _take_proxy(settings, {} if before is None else before.settings)
    _take_addons(settings, config, before)
    flagged -= {f"{DROPPED}{name}" for name in settings[INSTALL]}
    return settings, tuple(sorted(flagged))


def as_upgraded(
    before: Mapping[str, Any], config: Config, host: Host
) -> Mapping[str, Any]:
    """`kubernetes.version` may follow an upgrade: what fits the version here is no change."""
    pinned, wanted = (host.read(state.PINNED_VERSION) or "").strip(), config.settings[VERSION]
    fits = bool(pinned) and newest([pinned], wanted) is not None
    return {**before, VERSION: wanted} if fits else before


def _take_addons(settings: dict[str, Any], config: Config, before: Goal | None) -> None:
    """Those of kubepi.yaml and those that were installed by name, with all that they need."""
    typed = typed_before(before)
    if INSTALL in config.own:
        typed = replace(typed, removed=())  # what a kubepi.yaml names is wanted
    if settings[INSTALL] or settings[SETTINGS] or typed.installed:
        settings[INSTALL], settings[SETTINGS] = chosen(config.settings, typed, read_catalogue())


def _take_proxy(settings: dict[str, Any], before: Mapping[str, Any]) -> None:
    """The caller's environment is gone after a reboot, so what it names goes into the goal.

    Raises:
        UsageError: it names no proxy that kubepi can use.
    """
    if settings["downloads.proxy"]:
        return
    url, direct = from_environment(os.environ)
    try:
        settings["downloads.proxy"] = checked("downloads.proxy", url, ())
        found = [checked("downloads.no_proxy", [word], ())[0] for word in direct]
    except Wrong as wrong:
        raise UsageError(
            f"the environment's proxy or no_proxy {wrong}", "or name it as downloads.proxy"
        ) from None
    settings["downloads.no_proxy"] = settings["downloads.no_proxy"] or found
    if not url and before.get("downloads.proxy"):
        for name in ("downloads.proxy", "downloads.no_proxy"):
            settings[name] = before[name]


def _found_kit(host: Host) -> str:
    """The environment's kit, or one that came on the card; "" where there is none."""
    folder = look(host).boot_folder
    if os.environ.get("KUBEPI_KIT"):
        return os.path.abspath(os.environ["KUBEPI_KIT"])  # noqa: PTH100 - links stay links
    for kit in (*([] if folder is None else [f"{folder}/{ON_CARD}"]), OWN_KIT):
        if host.exists(f"{kit}/{CONTENTS}"):
            return kit
    return ""
