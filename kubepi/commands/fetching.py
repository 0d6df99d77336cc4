"""Where a backup is taken from: another node's depot, or a sealed file of the share.

May touch: /var/lib/kubepi-backups/of-others. Tests: tests/lab/test_backup.py.
"""

import argparse
import sys
from pathlib import Path

from kubepi.commands import changing
from kubepi.decide.credentials import advert_key, depot_key
from kubepi.decide.goal import TOKEN
from kubepi.decide.share import is_address
from kubepi.errors import KubepiError, UsageError
from kubepi.lan.depot import backups_of, fetch
from kubepi.lan.rendezvous import listen_for
from kubepi.lan.sealing import ENDING, is_sealed, unseal_file
from kubepi.machine import state
from kubepi.machine.backups import copies_folder
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host

LISTEN = 6.0


def fetch_newest(args: argparse.Namespace, host: Host) -> Path:
    """The newest one that the node has.

    Raises:
        KubepiError: nobody of that name is heard, or it has none.
    """
    token = _token(args, host)
    address, key = _address_of(args.from_node, host, token), depot_key(token)
    there = backups_of(host, key, address)
    if not there:
        raise KubepiError(f"{args.from_node} has no backup", "kubepi backup list, on each node")
    # of two clusters' the one that was made last
    newest = max(there, key=lambda name: name.rpartition("-")[2])
    name = f"{copies_folder(host)}/{newest}"
    if not host.exists(name):
        print(f"fetching {newest} from {args.from_node} …", file=sys.stderr)
        fetch(host, key, address, f"backup/{newest}", name)
    return host.path(name)


def opened(args: argparse.Namespace, host: Host, source: Path) -> Path:
    """The backup itself; one from the share is sealed."""
    if not is_sealed(source):
        return source
    name = f"{copies_folder(host)}/{source.name.removesuffix(ENDING)}"
    unseal_file(host, depot_key(_token(args, host)), source, name)
    return host.path(name)


def _token(args: argparse.Namespace, host: Host) -> str:
    token = changing.read_token(args, host) or load(host, {}).token
    if token is None:
        token = state.read_secret(host, TOKEN)
    if token is None:
        raise UsageError(
            "this backup opens with the cluster's token only",
            "print it on another node with `sudo kubepi token show`, then give it by --token-file "
            "FILE or KUBEPI_TOKEN",
        )
    host.log.hide(token)
    return token


def _address_of(node: str, host: Host, token: str) -> str:
    if is_address(node):
        return node
    book = listen_for(host, [advert_key(token)], (), LISTEN, until_master=False)
    trusted = {peer.advert.node: peer.advert.address for peer in book.values() if peer.trusted}
    if node not in trusted:
        heard = f"heard with it: {', '.join(sorted(trusted))}" if trusted else "heard nobody"
        raise KubepiError(
            f"no node {node} with this token is on the LAN; {heard}",
            "its address does as well: --from 192.168.1.20",
        )
    return trusted[node]
