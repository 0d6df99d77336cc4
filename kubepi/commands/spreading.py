"""A backup's copies on other nodes: asked for by a wish, and seen in their depots.

May touch: this node's wish. Tests: tests/unit/test_backup_command.py, tests/lab/test_backup.py.
"""

from collections.abc import Mapping
from contextlib import suppress

from kubepi.decide.backup import made_at
from kubepi.decide.peerbook import Book, ready_masters
from kubepi.decide.wish import KEEP_BACKUP
from kubepi.errors import KubepiError, StepFailed
from kubepi.lan.depot import backups_of, own_key
from kubepi.lan.peers import read_peers
from kubepi.lan.wishing import asked
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS, COPIES, names_in
from kubepi.machine.host import Host

COPIES_WANTED = 2
SECONDS = 120.0


def made_lately(host: Host, seconds: float) -> str | None:
    """The newest backup of this cluster here or at another master, if it is no older than that."""
    goal, now = state.load_goal(host), host.now()
    names = {*names_in(host, BACKUPS), *names_in(host, COPIES)}
    for peer in ready_masters(read_peers(host).values(), host.monotonic()):
        with suppress(KubepiError):  # it has none to show now
            names |= set(backups_of(host, own_key(host), peer.advert.address))
    cluster = "" if goal is None else str(goal.settings["cluster.name"])
    ours = (name for name in names if name.rpartition("-")[0] == f"kubepi-{cluster}")
    return max((name for name in ours if 0 <= now - made_at(name) < seconds), default=None)


def keepers(book: Book, now: float) -> dict[str, str]:
    """Name -> address of the nodes that are to have a copy: members that are there, by name.

    Two other masters, which go on from it without the one that made it, and one that is none.
    """
    there = sorted(
        (
            peer.advert for peer in book.values()
            if peer.trusted and not peer.is_silent(now) and peer.advert.address
            and peer.advert.state == "ready" and peer.advert.role != "none"
        ),
        key=lambda advert: advert.node,
    )  # fmt: skip
    of_masters = [advert for advert in there if advert.role == "master"][:COPIES_WANTED]
    workers = [advert for advert in there if advert.role != "master"]
    chosen = of_masters + workers[: max(1, COPIES_WANTED - len(of_masters))]
    return {advert.node: advert.address for advert in chosen}


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
