"""From the options of `sdcard` to the configuration on a card, by what all cards share."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import Any

from kubepi.decide.cardconfig import card_text, own_settings, shared_text, wifi_key
from kubepi.decide.config import Config, Layer, merge
from kubepi.decide.credentials import RANDOM_BYTES, new_token
from kubepi.decide.preflight import CHECKS
from kubepi.errors import UsageError
from kubepi.log import Log
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.machine.kitfiles import read_kit
from kubepi.resources import read_text
from kubepi.steps.kit import CardKit, files_of

CLUSTER_FILE = "kubepi-cluster.yaml"
SETTING_OF = {
    "expect": ("--expect", "cluster.expect"),
    "cluster_name": ("--cluster-name", "cluster.name"),
    "name": ("--name", "node.name"),
    "country": ("--country", "wifi.country"),
    "wifi": ("--wifi", "wifi.ssid"),
    "user": ("--user", "first_boot.user"),
    "timezone": ("--timezone", "first_boot.timezone"),
}
OF_THE_CLUSTER = ("cluster.name", "cluster.expect")
Flags = dict[str, tuple[str, Any]]


def config_of(args: argparse.Namespace, card_host: Host) -> tuple[str, str]:
    """The card's kubepi.yaml, and the country of its Wi-Fi.

    The first card makes what the next ones share, 0600 beside the user.

    Raises:
        ConfigError: something would be wrong on the Pi, where nobody could read it.
        UsageError: something is missing, or this card is to be of another cluster.
    """
    file, flags = Path(args.cluster), _flags(args)
    is_first = not file.exists()
    layers = [] if is_first else [Layer(str(file), file.read_text(encoding="utf-8"))]
    shared = _merged(layers, {})
    if is_first:
        if args.expect is None:
            flags["cluster.expect"] = ("--expect", _ask_expect())
        flags["cluster.token"] = ("", new_token(card_host.random("token", RANDOM_BYTES)))
    elif shared.token is None:
        raise UsageError(
            f"{file} has no cluster.token", "name the file that the first card made, or another one"
        )
    config = _merged(layers, flags)
    _refuse_another_cluster(file, is_first, shared, config)
    _refuse_unknown_zone(config.settings["first_boot.timezone"])
    own = own_settings(config)
    if is_first and not args.dry_run:
        keeper = Host(file.resolve().parent, Log(None))
        keeper.write(f"/{file.name}", shared_text(own), 0o600)
        print(f"wrote {file}: the next cards need it, and whoever has it", file=sys.stderr)
    return card_text(own), config.settings["wifi.country"]


def _merged(layers: list[Layer], flags: Flags) -> Config:
    return merge(read_text("defaults.yaml"), layers, flags, tuple(CHECKS))


def _flags(args: argparse.Namespace) -> Flags:
    given = {name: (flag, getattr(args, at)) for at, (flag, name) in SETTING_OF.items()}
    flags: Flags = {name: pair for name, pair in given.items() if pair[1] is not None}
    if args.ssh_key is not None:
        lines = [line.strip() for line in _text_of(args.ssh_key).splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        flags["first_boot.ssh_keys"] = ("--ssh-key", keys)
    if args.wifi is not None:
        flags["wifi.psk"] = ("--wifi", wifi_key(args.wifi, _wifi_password(args)))
    return flags


def _text_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", "name a text file") from error


def _wifi_password(args: argparse.Namespace) -> str:
    """Only the key made of it is kept.

    Raises:
        UsageError: nobody can be asked, or it cannot be one (IEEE 802.11i: 8 to 63 characters).
    """
    if args.wifi_password_file is not None:
        password = _text_of(args.wifi_password_file).rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass.getpass(f"Password of the Wi-Fi {args.wifi}: ")
    else:
        raise UsageError(
            "sdcard must know the Wi-Fi's password",
            "run it on a terminal, or give it by --wifi-password-file FILE",
        )
    if not 8 <= len(password) <= 63:
        raise UsageError("a Wi-Fi password has 8 to 63 characters", "this one has not: try again")
    return password


def _ask_expect() -> int:
    if not sys.stdin.isatty():
        raise UsageError("sdcard must know how many Pis there will be", "say it by: --expect 5")
    text = input("How many Pis will there be? ")
    if not text.strip().isdecimal():
        raise UsageError(f"{text!r} is no number of Pis", "say it by: --expect 5")
    return int(text)


def _refuse_another_cluster(file: Path, is_first: bool, shared: Config, config: Config) -> None:
    differs = [n for n in OF_THE_CLUSTER if shared.settings[n] != config.settings[n]]
    if differs and not is_first:
        expect, name = shared.settings["cluster.expect"], shared.settings["cluster.name"]
        raise UsageError(
            f"{file} says {expect} Pis of the cluster {name!r}",
            "all cards of a cluster say the same; another cluster: --cluster OTHER.yaml",
        )


def _refuse_unknown_zone(zone: str) -> None:
    """By this computer's list; where it has none, the Pi finds out."""
    from zoneinfo import available_timezones

    known = available_timezones()
    if zone and known and zone not in known:
        raise UsageError(f"there is no time zone {zone}", "write it like Europe/Berlin")


def kit_of(folder: str) -> CardKit:
    """The offline kit in a folder of this computer.

    Raises:
        KubepiError: there is none.
    """
    source = Path(folder).resolve()
    kit = read_kit(ReadOnlyHost(Path("/"), Log(None)), str(source))
    if kit.architecture != "arm64":
        print(f"warning: the kit is for {kit.architecture}, a Pi is arm64", file=sys.stderr)
    return CardKit(str(source), files_of(kit))
