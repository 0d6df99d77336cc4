"""Prepare a freshly flashed card: with it in, a Pi only has to be switched on."""

import argparse
import sys
import time
from pathlib import Path

from kubepi.commands.cards import CLUSTER_FILE, config_of, kit_of
from kubepi.decide.card import LOOKED_AT, recognise
from kubepi.decide.plan import sdcard as plan
from kubepi.errors import UsageError
from kubepi.log import Log
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.machine.runner import preview, run_plan
from kubepi.machine.step import Step
from kubepi.resources import own_file
from kubepi.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="where the card's first partition is mounted")
    parser.add_argument("--expect", type=int, metavar="N", help="how many Pis there will be")
    parser.add_argument("--name", metavar="NAME", help="of this Pi; else one by its serial number")
    parser.add_argument("--wifi", metavar="SSID", help="a Wi-Fi to join; asks for its password")
    parser.add_argument(
        "--wifi-password-file", metavar="FILE", help="that password, where nobody can be asked"
    )
    parser.add_argument("--country", metavar="XX", help="where the Wi-Fi is: DE, GB, US, ...")
    parser.add_argument("--user", metavar="NAME", help="who may log in by SSH and use sudo")
    parser.add_argument("--ssh-key", metavar="FILE", help="with --user: the public key for it")
    parser.add_argument("--timezone", metavar="ZONE", help="such as Europe/Berlin")
    parser.add_argument("--kit", metavar="DIR", help="an offline kit, to be copied to the card")
    parser.add_argument("--cluster-name", metavar="NAME", help="name of the cluster (home)")
    parser.add_argument(
        "--cluster", default=CLUSTER_FILE, metavar="FILE",
        help="what all cards of a cluster share; the first card makes it (kubepi-cluster.yaml)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-token", action="store_true", help="the secrets stay on the card's FAT partition"
    )
    parser.add_argument(
        "--vendor-data", action="store_true", help="cloud-init starts it, not the kernel's line"
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
    texts = {n: b.decode(errors="replace") for n, b in found.items() if b is not None}
    card = recognise(texts, args.vendor_data)
    print(f"card: {card.told}", file=sys.stderr)
    if not own_file():
        raise UsageError(
            "kubepi runs from its source folder and has no file to put on the card",
            "build it with: python3 build_zipapp.py, then run kubepi.pyz",
        )
    kit = kit_of(args.kit) if args.kit else None
    config, country = config_of(args, card_host)
    return plan.plan(card, Path(own_file()).read_bytes(), config, country, args.keep_token, kit)
