"""Every Pi seen on the LAN, trusted or not, with its board, role and state."""

import argparse
import json
import sys
from dataclasses import asdict

from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import Secret
from kubepi.decide.peerbook import Book, Peer
from kubepi.lan.peers import PEERS, read_peers
from kubepi.machine import state
from kubepi.machine.host import Host

COLUMNS = ("NAME", "ADDRESS", "BOARD", "ROLE", "STATE", "CLUSTER", "TRUSTED", "HEARD")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--token-file", metavar="FILE", help="token to tell the trusted by")
    parser.add_argument(
        "--wait", type=float, default=4.0, metavar="SECONDS",
        help="how long to listen on a machine without an agent (4)",
    )  # fmt: skip


def run(args: argparse.Namespace, host: Host) -> int:
    book = read_peers(host) if host.exists(PEERS) else _listen(args, host)
    peers = sorted(book.values(), key=lambda peer: (not peer.trusted, peer.advert.node))
    if args.json:
        print(json.dumps([asdict(peer) for peer in peers], indent=1))
        return 0
    if not peers:
        print("no other Pi with kubepi is heard on this LAN", file=sys.stderr)
        return 0
    for row in table([COLUMNS, *(_row(peer, host.monotonic()) for peer in peers)]):
        print(row)
    return 0


def _listen(args: argparse.Namespace, host: Host) -> Book:
    from kubepi.commands.changing import read_token
    from kubepi.lan.rendezvous import listen_for

    token = read_token(args, host)
    if token is None and host.uid() == 0:
        token = state.read_secret(host, Secret("token"))
    print(f"listening for {args.wait:.0f} s …", file=sys.stderr)
    key = None if token is None else advert_key(token)
    return listen_for(host, key, (), args.wait, until_master=False)


def _row(peer: Peer, now: float) -> tuple[str, ...]:
    advert = peer.advert
    seconds = max(0, int(now - peer.heard))
    told = f"{advert.state} {advert.progress}".strip()
    heard = f"{seconds} s ago" + (", silent" if peer.is_silent(now) else "")
    trusted = "yes" if peer.trusted else f"no: {peer.why}"
    return (
        advert.node or "?", advert.address or "?", advert.board or "?", advert.role, told,
        advert.cluster or "-", trusted, heard,
    )  # fmt: skip


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows with aligned columns."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
