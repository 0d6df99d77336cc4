"""The `lab` command: its verbs, and the one place that prints errors and sets the exit code."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import NoReturn

from labbase import RELEASES
from labclone import Clone, this_clone
from lablife import bring_up, leftovers, take_down
from labmachine import install_packages, require_root, set_sysctls
from labnet import subnet_of
from labnodes import Node, Wanted, load_all, load_named, moved
from labpios import FLAVOURS
from labpower import (
    become,
    cut_power,
    give_address,
    is_on,
    leader,
    push,
    reboot,
    switch_on,
    wait_until_up,
)
from labrun import LabError, locked

DESCRIPTION = "Virtual Pis on this machine: containers with a real systemd, one lab for each clone."
EXAMPLES = """\
examples:
  lab up 3                               three fresh nodes pi1, pi2, pi3 (trixie)
  lab up 2 --release bookworm --kit /media/kit --board pi4 pi5
  lab exec pi1 -- systemctl --failed     exit code, input and output are passed through
  lab exec pi1 --tty -- bash             a shell in a node
  lab push pi1 kubepi.pyz /root/         copy a file
  lab cut pi2                            pull the plug
  lab boot pi2                           the same disk again
  lab address pi1 10.99.7.61             a lease with another address, as a DHCP server's
  lab list --json                        names, addresses, folders
  lab down                               nothing is left

A node has its offline kit at /srv/kubepi-kit, and tests/lab/kubepi.yaml, where that exists, as
/etc/kubepi/kubepi.yaml. Its disk is FOLDER/up, its console FOLDER/console.log (lab list --json).
The kit is --kit, else the environment's KUBEPI_KIT, else one beside the clone, else none;
--no-kit leaves it out. What cmdline.txt in a node's /boot/firmware says to systemd, it is told at
every boot, as by a Pi's firmware.
"""
LOCK_SECONDS = 900
INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if arguments is None else arguments)
    command: list[str] = []
    if "--" in argv:
        split = argv.index("--")
        argv, command = argv[:split], argv[split + 1 :]
    options = parser().parse_args(argv)
    os.umask(0o022)
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        require_root()
        return act(options, command)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return INTERRUPTED


def interrupt(number: int, frame: FrameType | None) -> None:
    """Stop in good order, once: what cleans up must not be stopped by a second signal."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="lab",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="make and boot fresh nodes; replaces this clone's lab")
    up.add_argument("count", type=node_count, metavar="N", help="how many nodes")
    up.add_argument("--release", choices=RELEASES, default=RELEASES[0])
    flavour = "plain Debian, or with what a Raspberry Pi OS adds and where it waits for a keyboard"
    up.add_argument("--flavour", choices=FLAVOURS, default=FLAVOURS[0], help=flavour)
    up.add_argument("--kit", type=Path, metavar="DIR", help="offline kit for /srv/kubepi-kit")
    up.add_argument("--no-kit", action="store_true", help="nodes that have none")
    card = "a card's boot partition, copied to each node's /boot/firmware before its first boot"
    up.add_argument("--card", type=Path, metavar="DIR", help=card)
    board = "folders of tests/boards, given to the nodes in turn; or none"
    up.add_argument("--board", nargs="+", default=[], metavar="NAME", help=board)
    for verb, text in (
        ("exec", "run a command in a node: lab exec NODE [--tty] -- COMMAND …"),
        ("push", "copy a file into a node"),
        ("cut", "pull a node's plug: all in it is killed at once"),
        ("boot", "boot a node that is off, from its own disk"),
        ("reboot", "reboot a node in good order and wait until it is up"),
    ):
        verbs.add_parser(verb, help=text).add_argument("node", metavar="NODE")
    verbs.choices["exec"].add_argument("--tty", action="store_true", help="with a terminal")
    verbs.choices["push"].add_argument("file", type=Path, metavar="FILE")
    verbs.choices["push"].add_argument("target", metavar="PATH")
    address = verbs.add_parser("address", help="another address: at once, or at the next boot")
    address.add_argument("node", metavar="NODE")
    address.add_argument("address", metavar="ADDRESS")
    listing = verbs.add_parser("list", help="show the nodes")
    listing.add_argument("--json", action="store_true")
    verbs.add_parser("down", help="remove the lab of this clone, also after a crash")
    return top


def node_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 99:
        raise argparse.ArgumentTypeError("from 1 to 99 nodes")
    return count


def act(options: argparse.Namespace, command: list[str]) -> int:
    clone = this_clone()
    if options.verb == "list":
        show(clone, options.json)
        return 0
    if options.verb in ("exec", "push"):
        enter(load_named(clone, options.node), options, command)
    install_packages()
    with locked(clone.mark, LOCK_SECONDS):
        if options.verb == "up":
            set_sysctls()
            print_table(bring_up(clone, wanted_of(options)))
        elif options.verb == "down":
            take_down(clone)
            print(f"lab {clone.id} is down: no process, cgroup, mount, network or folder is left")
        elif options.verb == "address":
            give_address(moved(clone, load_named(clone, options.node), options.address))
        else:
            switch(load_named(clone, options.node), options.verb)
    return 0


def wanted_of(options: argparse.Namespace) -> Wanted:
    boards = tuple(options.board)
    return Wanted(
        options.count, options.release, boards, options.kit, not options.no_kit, options.card,
        options.flavour,
    )  # fmt: skip


def show(clone: Clone, as_json_text: bool) -> None:
    nodes = load_all(clone)
    if as_json_text:
        print(json.dumps(as_json(clone, nodes), indent=2))
    elif nodes:
        print_table(nodes)
    else:
        print("no lab of this clone is up; `lab up 3` makes one")


def enter(node: Node, options: argparse.Namespace, command: list[str]) -> NoReturn:
    if options.verb == "push":
        push(node, options.file, options.target)
    if not command:
        raise LabError("no command: lab exec NODE -- COMMAND …")
    become(node, command, options.tty)


def switch(node: Node, verb: str) -> None:
    if verb == "cut":
        cut_power(node)
        return
    if verb == "boot":
        if is_on(node):
            raise LabError(f"{node.name} is on")
        switch_on(node)
    else:
        reboot(node)
    wait_until_up([node])


def as_json(clone: Clone, nodes: Sequence[Node]) -> dict[str, object]:
    return {
        "id": clone.id,
        "clone": str(clone.path),
        "state": str(clone.state),
        "bridge": clone.bridge,
        "subnet": str(subnet_of(clone)) if nodes else None,
        "nodes": [{**asdict(node), "leader": leader(node), "on": is_on(node)} for node in nodes],
        "leftovers": [] if nodes else leftovers(clone),
    }


def print_table(nodes: Sequence[Node]) -> None:
    rows = [("NAME", "ADDRESS", "BOARD", "POWER", "ENTER")]
    for node in nodes:
        power = "on" if is_on(node) else "off"
        enter = f"{sys.argv[0]} exec {node.name} --tty -- bash"
        rows.append((node.name, node.address, node.board, power, enter))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
