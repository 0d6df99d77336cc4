"""Every Pi seen on the LAN, trusted or not, with its board and state; a dead one is forgotten."""

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict

from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import TOKEN
from kubepi.decide.peerbook import Book, Peer
from kubepi.errors import UsageError
from kubepi.lan.peers import PEERS, read_own, read_peers, with_own
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.report.table import table
from kubepi.report.watch import Watch

COLUMNS = ("NAME", "ADDRESS", "BOARD", "ROLE", "STATE", "CLUSTER", "TRUSTED", "HEARD")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "forget", nargs="*", metavar="forget NAME",
        help="take a dead node out of the cluster: its Node, its place in etcd, its name",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="forget it though it seems alive")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be forgotten")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--watch", action="store_true", help="go on looking, until Ctrl-C")
    parser.add_argument("--token-file", metavar="FILE", help="token to tell the trusted by")
    parser.add_argument(
        "--wait", type=float, default=4.0, metavar="SECONDS",
        help="how long to listen on a machine without an agent (4)",
    )  # fmt: skip


def run(args: argparse.Namespace, host: Host) -> int:
    if args.forget:
        return _forget(args, host)
    if args.watch:
        return _watch(args, host)
    book = with_own(host, read_peers(host)) if host.exists(PEERS) else _listen(args, host)
    peers = sorted(book.values(), key=lambda peer: (not peer.trusted, peer.advert.node))
    if args.json:
        print(json.dumps([asdict(peer) for peer in peers], indent=1))
        return 0
    own = read_own(host)
    own_id = None if own is None else own.node_id
    if not set(book) - {own_id}:
        print("no other Pi with kubepi is heard on this LAN", file=sys.stderr)
    rows = [_row(peer, host.monotonic(), own_id) for peer in peers]
    for row in table([COLUMNS, *rows]) if rows else ():
        print(row)
    return 0


def _forget(args: argparse.Namespace, host: Host) -> int:
    from kubepi.commands.forgetting import forget

    if args.forget[0] != "forget" or len(args.forget) != 2:
        raise UsageError(
            f"kubepi nodes does not understand {' '.join(args.forget)!r}",
            "one dead node is forgotten by: sudo kubepi nodes forget NAME",
        )
    return forget(host, args.forget[1], args.force, args.dry_run)


def _watch(args: argparse.Namespace, host: Host) -> int:
    """Ctrl-C is how it ends, and no error."""
    watch = Watch()
    with suppress(KeyboardInterrupt):
        if not host.exists(PEERS):
            from kubepi.lan.rendezvous import listen_on

            listen_on(host, _key(args, host), lambda book: watch.show(book, host.monotonic()))
        while True:
            watch.show(with_own(host, read_peers(host)), host.monotonic())
            host.sleep(1.0)
    return 0


def _listen(args: argparse.Namespace, host: Host) -> Book:
    from kubepi.lan.rendezvous import listen_for

    print(f"listening for {args.wait:.0f} s …", file=sys.stderr)
    key = _key(args, host)
    keys = [] if key is None else [key]
    return listen_for(host, keys, (), args.wait, until_master=False)


def _key(args: argparse.Namespace, host: Host) -> bytes | None:
    """What adverts are believed by; None without a token."""
    from kubepi.commands.changing import read_token

    token = read_token(args, host)
    if token is None and host.uid() == 0:
        token = state.read_secret(host, TOKEN)
    return None if token is None else advert_key(token)


def _row(peer: Peer, now: float, own_id: str | None) -> tuple[str, ...]:
    advert = peer.advert
    seconds = max(0, int(now - peer.heard))
    told = f"{advert.state} {advert.progress}".strip()
    heard = f"{seconds} s ago" + (", silent" if peer.is_silent(now) else "")
    if advert.node_id == own_id:
        heard = "this Pi"
    trusted = "yes" if peer.trusted else f"no: {peer.why}"
    return (
        advert.node or "?", advert.address or "?", advert.board or "?", advert.role, told,
        advert.cluster or "-", trusted, heard,
    )  # fmt: skip

