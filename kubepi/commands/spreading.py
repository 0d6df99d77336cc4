"""Which master makes a backup, and its copies on other nodes: asked for by a wish, and seen in
their depots.

May touch: this node's wish. Tests: tests/unit/test_backup_command.py, tests/lab/test_backup.py.
"""

from collections.abc import Mapping

from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book, ready_masters
from kubepi.decide.wish import KEEP_BACKUP
from kubepi.errors import KubepiError, StepFailed
from kubepi.lan.depot import backups_of, own_key
from kubepi.lan.peers import read_peers
from kubepi.lan.wishing import asked
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.kubeadm import node_name

COPIES_WANTED = 2
SECONDS = 120.0


def maker_before(host: Host, goal: Goal) -> str | None:
    """Of several masters one makes the backups that nobody typed, and all agree on it.

    The master of them that is there and comes before this one: the first, then by name.
    """
    own = (not goal.makes_cluster, node_name(host))
    there = ready_masters(read_peers(host).values(), host.monotonic())
    before = (p.advert.node for p in there if (not p.is_first, p.advert.node) < own)
    return next(before, None)


def keepers(book: Book, now: float) -> dict[str, str]:
    """Name -> address of the nodes that are to have a copy: members that are there.

    Masters first, which go on from it without the one that made it, then by name.
    """
    found = [
        peer.advert
        for peer in book.values()
        if peer.trusted and not peer.is_silent(now) and peer.advert.address
        and peer.advert.state == "ready" and peer.advert.role != "none"
    ]  # fmt: skip
    found.sort(key=lambda advert: (advert.role != "master", advert.node))
    return {advert.node: advert.address for advert in found[:COPIES_WANTED]}


def spread(host: Host, name: str) -> list[str]:
    """Names of the nodes that have it in the end; none where nobody else is there."""
    wanted = keepers(read_peers(host), host.monotonic())
    if not wanted:
        return []
    if host.exists(state.WISH):
        # another command's; the next backup is copied
        host.log.line("decision: no copy of the backup, another wish is on its way")
        return []
    try:
        with asked(host, KEEP_BACKUP, tuple(wanted)):
            host.wait_until(
                "other nodes to copy it", lambda: _without(host, wanted, name), SECONDS
            )
    except StepFailed as error:
        host.log.line(f"warning: {error.sentence}")
    return sorted(node for node, address in wanted.items() if _has(host, address, name) is None)


def _without(host: Host, wanted: Mapping[str, str], name: str) -> str | None:
    lacking = {node: _has(host, address, name) for node, address in wanted.items()}
    return "; ".join(f"{node} {why}" for node, why in lacking.items() if why) or None


def _has(host: Host, address: str, name: str) -> str | None:
    """None if that node has it, else what it says."""
    try:
        there = backups_of(host, own_key(host), address)
    except KubepiError as error:
        return error.sentence
    return None if name in there else "does not have it yet"
