"""The whole cluster disabled and enabled: a wish to all nodes, and a live table of what they do.

Each node knows its turn by itself (kubepi/decide/disabled.py); this command only asks, watches,
and does the part of its own node. Tests: tests/unit/test_whole.py, tests/lab/test_life.py.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from kubepi.agent.agent import AWAITED
from kubepi.agent.obeying import power_off
from kubepi.commands import changing
from kubepi.decide import wish as wishes
from kubepi.decide.disabled import DISABLED, OFF, WITHOUT_PODS, Disabled, members
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book, Peer
from kubepi.decide.plan import disable
from kubepi.errors import StepFailed
from kubepi.lan.peers import read_peers, with_own
from kubepi.lan.wishing import asked, wish
from kubepi.machine import disabled, state
from kubepi.machine.host import Host
from kubepi.reconcile import Options, reconcile_disabled, reconcile_enabled, reconcile_first
from kubepi.report.watch import Watch
from kubepi.steps.install import AGENT

ANSWER = 120.0  # seconds in which a node has to say something new


def disable_all(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    until = "boot" if args.poweroff else "enable"
    own = Disabled(until, whole=True, forced=args.force, cleans=args.clean_cache)
    if args.dry_run:
        reconcile_disabled(host, own, Options(dry_run=True))
        return 0
    others = Others(host, args.yes)
    others.name_the_silent()
    verb = wishes.DISABLE_UNTIL_BOOT if args.poweroff else wishes.DISABLE
    with asked(host, verb):
        # a worker's own pods go with those of the others, a master's at the end
        if goal.role == "master":
            reconcile_first(host, own, disable.first_for_all(goal))
        else:
            reconcile_disabled(host, own, Options())
        others.watch(lambda peer: peer.advert.state in WITHOUT_PODS)
        if not disabled.is_stopped(host):
            begun = disabled.load(host) or own
            own = replace(begun, without=tuple(others.given_up))
            reconcile_disabled(host, own, Options())
        others.watch(lambda peer: peer.advert.state in (DISABLED, OFF))
    print("All nodes are disabled" + _except(others.given_up))
    if args.poweroff:
        with asked(host, wishes.POWER_OFF):
            others.watch(lambda peer: peer.advert.state == OFF or has_gone(host, peer))
    else:
        print("sudo kubepi enable --all brings them back, also after the plug was pulled.")
    end(host, args.poweroff)
    return 0


def enable_all(args: argparse.Namespace, host: Host, goal: Goal) -> int:
    others = Others(host, args.yes)
    others.name_the_silent()
    with asked(host, wishes.ENABLE):
        if disabled.load(host) is not None:
            reconcile_enabled(host, Options())
        others.watch(lambda peer: peer.advert.state == "ready")
    print("All nodes are in service" + _except(others.given_up))
    return 0


def end(host: Host, poweroff: bool) -> None:
    """The agent tells the others before the power goes."""
    if not poweroff:
        return
    print("This Pi switches itself off now.", flush=True)
    if host.probe(["systemctl", "is-active", AGENT]).ok:
        host.write(state.GOING_OFF, "", 0o600)
    else:
        power_off(host)


def has_gone(host: Host, peer: Peer) -> bool:
    """A disabled node speaks every few seconds as long as it is on."""
    return host.monotonic() - peer.heard > 3 * AWAITED


def show(table: Watch, host: Host, book: Book) -> None:
    """All nodes of the cluster, this one too."""
    nodes = members(with_own(host, book))
    table.show({peer.advert.node_id: peer for peer in nodes}, host.monotonic())


class Others:
    """The other nodes of the cluster, as their adverts tell."""

    def __init__(self, host: Host, yes: bool) -> None:
        self.host, self.yes = host, yes
        self.given_up: list[str] = []
        self.table = Watch(sys.stderr)
        self.said: dict[str, tuple[str, float]] = {}

    def name_the_silent(self) -> None:
        """Nodes that are known and not heard now: asked about once, before anything changes."""
        now = self.host.monotonic()
        heard = [peer for peer in members(read_peers(self.host)) if not peer.is_silent(now)]
        names = {peer.advert.node for peer in heard}
        known = {name for name, _ in state.known_nodes(self.host).values()}
        for name in sorted(known - names):
            self._give_up(name, "is not heard")

    def watch(self, has_done: Callable[[Peer], bool]) -> None:
        """Until all have; who says nothing new for long is asked about.

        Raises:
            StepFailed: a node does not answer, and nobody said to go on without it.
        """
        while True:
            book, now = read_peers(self.host), self.host.monotonic()
            left = [
                peer
                for peer in members(book)
                if not has_done(peer) and peer.advert.node not in self.given_up
            ]
            show(self.table, self.host, book)
            if not left:
                return
            for peer in left:
                word = f"{peer.advert.state} {peer.advert.progress}"
                if self.said.get(peer.advert.node, ("", 0.0))[0] != word:
                    self.said[peer.advert.node] = (word, now)
                if now - self.said[peer.advert.node][1] > ANSWER:
                    self._give_up(peer.advert.node, f"is {word.strip()} for {ANSWER:.0f} s")
            self.host.sleep(1.0)

    def _give_up(self, node: str, why: str) -> None:
        if not self.yes and not changing.agreed(f"{node} {why}.", "Go on without it?"):
            raise StepFailed(
                f"{node} {why}", "the same command goes on; --yes does not wait for such a node"
            )
        self.given_up.append(node)
        if self.host.exists(state.WISH):  # they have heard the first one meanwhile
            wish(self.host, wishes.GO_ON_WITHOUT, self.given_up)


def _except(names: list[str]) -> str:
    return f", but not {', '.join(names)}: it did not answer." if names else "."
