"""Prepare a freshly flashed card: with it in, a Pi only has to be switched on."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from kubepi.decide.card import LOOKED_AT, recognise
from kubepi.decide.cardconfig import Cluster, cluster_text, config_text, read_cluster
from kubepi.decide.credentials import RANDOM_BYTES, new_token
from kubepi.decide.plan import sdcard as plan
from kubepi.decide.settings import checked
from kubepi.decide.values import Wrong
from kubepi.errors import UsageError
from kubepi.log import Log
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.machine.runner import preview, run_plan
from kubepi.machine.step import Step
from kubepi.resources import own_file, read_text
from kubepi.terminal import Terminal

CLUSTER_FILE = "kubepi-cluster.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="where the card's first partition is mounted")
    parser.add_argument("--expect", type=int, metavar="N", help="how many Pis there will be")
    parser.add_argument("--name", default="", help="name of this Pi; else one by its serial number")
    parser.add_argument("--country", default="", metavar="XX", help="country of its Wi-Fi")
    parser.add_argument("--cluster-name", metavar="NAME", help="name of the cluster (home)")
    parser.add_argument(
        "--cluster", default=CLUSTER_FILE, metavar="FILE",
        help="what all cards of a cluster share; the first card makes it (kubepi-cluster.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-token", action="store_true", help="the token stays on the card's FAT partition"
    )
    parser.add_argument("--undo", action="store_true", help="give the card back as it was")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")


def run(args: argparse.Namespace, host: Host) -> int:
    folder = Path(args.path)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {args.path}", "is the card mounted?")
    card_host = (ReadOnlyHost if args.dry_run else Host)(folder.resolve(), Log(None))
    steps = plan.undo() if args.undo else _steps(args, card_host)
    start, progress = time.monotonic(), Terminal()
    counts = (preview if args.dry_run else run_plan)(steps, card_host, progress)
    word = "would change" if args.dry_run else "changed"
    progress.summary(counts, time.monotonic() - start, word)
    if not args.dry_run and not args.undo:
        print("The card is ready: unmount it, put it into the Pi, switch it on.")
    return 0


def _steps(args: argparse.Namespace, card_host: Host) -> list[Step]:
    found = {name: card_host.read_bytes(f"/{name}") for name in LOOKED_AT}
    card = recognise({n: b.decode(errors="replace") for n, b in found.items() if b is not None})
    print(f"card: {card.told}", file=sys.stderr)
    if not own_file():
        raise UsageError(
            "kubepi runs from its source folder and has no file to put on the card",
            "build it with: python3 build_zipapp.py, then run kubepi.pyz",
        )
    name, country = _checked("node.name", args.name), _checked("wifi.country", args.country)
    config = config_text(_cluster(args, card_host), name, country)
    return plan.plan(card, Path(own_file()).read_bytes(), config, country, args.keep_token)


def _cluster(args: argparse.Namespace, card_host: Host) -> Cluster:
    """From the file that the first card made, or made now, 0600 beside the user.

    Raises:
        UsageError: the file is no such file, or nobody says how many Pis there will be.
    """
    file = Path(args.cluster)
    if file.exists():
        known = read_cluster(
            file.read_text(encoding="utf-8"), str(file), read_text("defaults.yaml")
        )
        if args.expect not in (None, known.expect) or args.cluster_name not in (None, known.name):
            raise UsageError(
                f"{file} says {known.expect} Pis of the cluster {known.name!r}",
                "all cards of a cluster say the same; another cluster: --cluster OTHER.yaml",
            )
        return known
    expect = args.expect if args.expect is not None else _ask_expect()
    cluster = Cluster(
        _checked("cluster.name", args.cluster_name or "home"),
        new_token(card_host.random("token", RANDOM_BYTES)),
        _checked("cluster.expect", expect),
    )
    if not args.dry_run:
        keeper = Host(file.resolve().parent, Log(None))
        keeper.write(f"/{file.name}", cluster_text(cluster), 0o600)
        print(f"wrote {file}: the next cards need it, and whoever has it", file=sys.stderr)
    return cluster


def _ask_expect() -> int:
    if not sys.stdin.isatty():
        raise UsageError("sdcard must know how many Pis there will be", "say it by: --expect 5")
    text = input("How many Pis will there be? ")
    if not text.strip().isdecimal():
        raise UsageError(f"{text!r} is no number of Pis", "say it by: --expect 5")
    return int(text)


def _checked(setting: str, value: Any) -> Any:
    """As kubepi.yaml would be checked on the Pi, where nobody could read the error."""
    try:
        return checked(setting, value, ())
    except Wrong as wrong:
        raise UsageError(f"{setting}: {wrong}", "kubepi sdcard --help lists the options") from None
