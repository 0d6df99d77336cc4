"""What init, join, reset and resume have in common: options, layers of config, being root."""

import argparse
import os
import pwd
import sys
from typing import Any

from kubepi.decide.config import Config
from kubepi.decide.goal import Admin, Goal
from kubepi.errors import KubepiError, UsageError
from kubepi.machine.host import Host
from kubepi.reconcile import Done, Options

# flag -> dotted name of the setting it sets
SETTING_OF = {
    "kit": ("--kit", "downloads.kit"),
    "cluster": ("--cluster", "cluster.name"),
    "kubernetes": ("--kubernetes", "kubernetes.version"),
    "node_name": ("--node-name", "node.name"),
    "address": ("--address", "node.address"),
}


def add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.add_argument(
        "--reboot", action="store_true", help="reboot without asking where one is needed"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="NAME", help="waive a preflight check"
    )


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
        config.refuse_changes(before.settings)
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
        settings["downloads.kit"] = _found_kit(host)
    return settings, tuple(sorted(flagged))


def _found_kit(host: Host) -> str:
    """The environment's kit, or one on the boot partition; "" where there is none."""
    from kubepi.machine.facts import look

    folder = look(host).boot_folder
    if os.environ.get("KUBEPI_KIT"):
        return os.path.abspath(os.environ["KUBEPI_KIT"])  # noqa: PTH100 - links stay links
    if folder is not None and host.exists(f"{folder}/kubepi-kit/bundle.yaml"):
        return f"{folder}/kubepi-kit"
    return ""


def options(args: argparse.Namespace, token: str | None = None) -> Options:
    return Options(args.dry_run, args.reboot, tuple(args.ignore), token)


def need_root(host: Host, verb: str, dry_run: bool) -> None:
    if host.uid() != 0 and str(host.root) == "/" and not dry_run:
        raise UsageError(f"{verb} changes this Pi and needs root", f"run: sudo kubepi {verb} …")


def calling_user() -> Admin | None:
    """Who called sudo, so that kubectl works for them too."""
    name = os.environ.get("SUDO_USER", "")
    if not name or name == "root":
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Admin(entry.pw_dir, entry.pw_uid, entry.pw_gid)


def read_token(args: argparse.Namespace, host: Host) -> str | None:
    """From --token-file or KUBEPI_TOKEN; never from the command line, which everybody sees.

    Raises:
        KubepiError: the file cannot be read.
    """
    from kubepi.decide.credentials import normalise_token

    if args.token_file:
        try:
            with open(args.token_file, encoding="utf-8") as stream:  # noqa: PTH123 - user's path
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise KubepiError(
                f"cannot read the token file {args.token_file}: {error}",
                "print the token on the master with: sudo kubepi token show",
            ) from error
        return normalise_token(text)
    text = os.environ.get("KUBEPI_TOKEN", "")
    return normalise_token(text) if text else None


def nothing_changed(done: Done) -> bool:
    return done.was_reached and done.counts.changed == 0
