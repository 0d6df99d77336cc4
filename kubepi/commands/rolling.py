"""All nodes upgraded, one after the other: a wish to each, and a live table of what they do.

Each node does its own upgrade; this command only asks, watches, and does that of its own node.
Tests: tests/unit/test_rolling.py, tests/lab/test_upgrade.py, tests/lab/test_upgrade_masters.py.
"""

import argparse
import sys
from collections.abc import Collection, Mapping

from kubepi.commands import upgrade
from kubepi.commands.upgrading import is_noted, upgrade_or_follow
from kubepi.commands.whole import Others, show
from kubepi.decide import wish as wishes
from kubepi.decide.disabled import members
from kubepi.decide.goal import Goal
from kubepi.decide.kit import version_key
from kubepi.decide.peerbook import Peer
from kubepi.decide.upgrade import FAILED, OS, UPGRADING, Upgrade, refused
from kubepi.errors import PreflightFailed, StepFailed
from kubepi.lan.peers import read_peers
from kubepi.lan.wishing import asked
from kubepi.machine.host import Host
from kubepi.reconcile import Options
from kubepi.report.watch import Watch
from kubepi.steps.apt import pinned_version
from kubepi.steps.kubeadm import node_name

BEGINS = 30.0  # seconds in which a node answers to a wish; what it said before is of the past
SILENCE = 900.0  # seconds without a word of a node that is at it: it may boot
LONGEST_STEP = 5400.0  # seconds; a card that takes new packages is slow


def upgrade_all(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    others = Others(host, args.yes)
    others.name_the_silent()
    own = node_name(host)
    roles = {p.advert.node: p.advert.role for p in members(read_peers(host))} | {own: goal.role}
    versions = versions_of(host) | {own: pinned_version(host)}
    version = _target(args, host, goal, versions)
    for name in sorted(set(roles) - set(versions)):
        raise PreflightFailed(f"{name} is not ready yet", "let that end first: kubepi nodes")
    for name, before in sorted(versions.items()):
        if version != OS and (why := refused(before, version)) is not None:
            raise PreflightFailed(f"{name}: {why[0]}", why[1])
    first = own if goal.verb == "init" else _first_master(host)
    order = in_order(roles, own, first, _begun(host, own), may_boot=version == OS)
    for name in (n for n in order if n not in others.given_up):
        if versions[name] == version and _is_done(host, name, own):
            continue
        if args.dry_run:
            what = "Debian's packages" if version == OS else f"from {versions[name]} to {version}"
            print(f"would upgrade {name} ({roles[name]}): {what}")
        elif name == own:
            options = Options(reboot=version == OS)
            upgrade_or_follow(host, goal, Upgrade(version, args.force), options)
        else:
            with asked(host, wishes.UPGRADE, [name], version):
                watch(host, name, version)
    if not args.dry_run:
        print("All nodes are up to date." if version == OS else f"All nodes are {version}.")
    return 0


def in_order(
    roles: Mapping[str, str], own: str, first: str, begun: Collection[str] = (), *,
    may_boot: bool = False,
) -> list[str]:  # fmt: skip
    """Masters, then workers, by name; of those of its own kind this node comes last.

    The `first` is the master that made the cluster: its backup is that of the cluster as it was.
    What was `begun` before a power cut ends before another node goes down; where this node
    `may_boot`, it is the last of all.
    """

    def turn(name: str) -> tuple[bool, bool, bool, bool, bool, str]:
        is_own, is_worker = name == own, roles[name] != "master"
        return name not in begun, may_boot and is_own, name != first, is_worker, is_own, name

    return sorted(roles, key=turn)


def _begun(host: Host, own: str) -> set[str]:
    """Nodes that are at an upgrade, or stopped in one."""
    found = {p.advert.node for p in members(read_peers(host)) if p.advert.state == UPGRADING}
    return found | ({own} if is_noted(host) else set())


def _first_master(host: Host) -> str:
    return next((p.advert.node for p in members(read_peers(host)) if p.is_first), "")


def versions_of(host: Host) -> dict[str, str]:
    found = {p.advert.node: p.advert.kubernetes for p in members(read_peers(host))}
    return {name: version for name, version in found.items() if version}


def _target(
    args: argparse.Namespace, host: Host, goal: Goal, versions: Mapping[str, str]
) -> str:
    """What some nodes are already comes first: an upgrade that was begun is brought to its end.

    Raises:
        UsageError: another one is on its way on this node; and others.
    """
    newest, typed = max(versions.values(), key=version_key), OS if args.os else args.version
    if len(set(versions.values())) > 1 and typed is None and not is_noted(host):
        return newest
    return upgrade.target(typed, host, goal, newest, whole=True)


def _is_done(host: Host, name: str, own: str) -> bool:
    if name == own:
        return not is_noted(host)
    return any(
        p.advert.node == name and p.advert.state == "ready" for p in members(read_peers(host))
    )


def watch(host: Host, name: str, version: str) -> None:
    """Until the node is there.

    Raises:
        StepFailed: it failed, or says nothing.
    """
    table = Watch(sys.stderr)
    peer = next(p for p in members(read_peers(host)) if p.advert.node == name)
    began = changed = host.monotonic()
    last, was_busy = "", False
    while True:
        book, now = read_peers(host), host.monotonic()
        show(table, host, book)
        peer = next((p for p in members(book) if p.advert.node == name), peer)
        was_busy = was_busy or peer.advert.state == UPGRADING
        is_new = was_busy if version == OS else peer.advert.kubernetes == version
        if is_new and peer.advert.state == "ready":
            return
        word = f"{peer.advert.state} {peer.advert.progress}".strip()
        last, changed = (word, now) if word != last else (last, changed)
        _need_hope(peer, now, now - began, now - changed)
        host.sleep(1.0)


def _need_hope(peer: Peer, now: float, asked: float, unchanged: float) -> None:
    advert = peer.advert
    if asked < BEGINS:
        return
    if advert.progress.startswith(FAILED):
        why = advert.progress.removeprefix(FAILED)
        raise StepFailed(
            f"the upgrade of {advert.node} failed: {why}",
            f"sudo kubepi upgrade on {advert.node} says more, and goes on; then the same command",
        )
    if advert.state == "ready" and asked > 6 * BEGINS:
        raise StepFailed(
            f"{advert.node} does not begin its upgrade",
            f"sudo kubepi upgrade on {advert.node} says why",
        )
    if unchanged > LONGEST_STEP or now - peer.heard > SILENCE:
        raise StepFailed(
            f"{advert.node} is {advert.state} {advert.progress} and says nothing new",
            f"is it on? it goes on by itself; kubepi status on {advert.node} tells how it is",
        )
