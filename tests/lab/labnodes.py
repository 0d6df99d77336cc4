"""What a node is: its names, its board, its kit, and what its disk holds before the first boot."""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from labclone import Clone
from labmachine import resolv_conf
from labpios import FLAVOURS, HOST_NAME
from labrun import LabError

KIT_VARIABLE = "KUBEPI_KIT"
KIT_BESIDE_CLONE = "../shared/kube-bundle"
BOOT_FOLDER = "boot/firmware"
NO_BOARD = "none"
FIRMWARE = "root/sys/firmware"
SERIAL = "devicetree/base/serial-number"
NODE_FILE = "node.json"
# This name takes precedence over systemd's own file for a container's network.
NETWORK_PATH = "etc/systemd/network/80-container-host0.network"
NETWORK_FILE = """\
[Match]
Name=host0

[Network]
Address={address}/24
Gateway={gateway}
"""
HOSTS = """\
127.0.0.1\tlocalhost
127.0.1.1\t{name}

::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters
"""


@dataclass(frozen=True)
class Wanted:
    """A lab as asked for on the command line."""

    count: int
    release: str
    boards: tuple[str, ...] = ()
    kit: Path | None = None
    has_kit: bool = True
    card: Path | None = None
    flavour: str = FLAVOURS[0]


@dataclass(frozen=True)
class Node:
    """A virtual Pi. Its state folder has up (its disk, over the base), containerd and kubelet."""

    name: str
    machine: str
    mark: str
    folder: str
    base: str
    address: str
    gateway: str
    bridge: str
    board: str
    kit: str | None
    flavour: str

    @property
    def path(self) -> Path:
        return Path(self.folder)

    @property
    def console(self) -> Path:
        """The console's output, of all boots."""
        return self.path / "console.log"

    @property
    def firmware(self) -> Path | None:
        """What the node sees as /sys/firmware; None: this machine's own."""
        return None if self.board == NO_BOARD else self.path / "firmware"


def load(folder: Path) -> Node:
    return Node(**json.loads((folder / NODE_FILE).read_text()))


def load_all(clone: Clone) -> list[Node]:
    """The nodes of this clone's lab, in the order of their numbers."""
    nodes = [load(file.parent) for file in clone.state.glob(f"*/{NODE_FILE}")]
    return sorted(nodes, key=lambda node: (len(node.name), node.name))


def load_named(clone: Clone, name: str) -> Node:
    nodes = load_all(clone)
    for node in nodes:
        if node.name == name:
            return node
    known = ", ".join(node.name for node in nodes) or "none: `lab up 3` makes three"
    raise LabError(f"no node {name} in this clone's lab; there are {known}")


def find_kit(clone: Clone, option: Path | None) -> str | None:
    """The folder of an offline kit: the option, else the environment, else one beside the clone."""
    named = option or os.environ.get(KIT_VARIABLE)
    kit = Path(named or clone.path / KIT_BESIDE_CLONE).resolve()
    if kit.is_dir():
        return str(kit)
    if named:
        raise LabError(f"no kit at {kit}")
    return None


def choose_boards(clone: Clone, wanted: Wanted) -> list[str]:
    """A board for each node, in turn; unless named, Pis with this release, or any Pis."""
    there = sorted(folder.parents[2].name for folder in clone.boards.glob(f"*/{FIRMWARE}"))
    for name in wanted.boards:
        if name not in (*there, NO_BOARD):
            raise LabError(f"no board {name}; there are {', '.join([*there, NO_BOARD])}")
    pis = [name for name in there if name.startswith("pi")]
    fitting = [name for name in pis if name.endswith(wanted.release)]
    chosen = wanted.boards or fitting or pis or there or [NO_BOARD]
    return list(islice(cycle(chosen), wanted.count))


def prepare(clone: Clone, node: Node, card: Path | None = None) -> None:
    """Make the state folder of a node that has never booted; `card`: its boot partition."""
    for name in ("up", "work", "root", "containerd", "kubelet"):
        (node.path / name).mkdir(parents=True)
    name = node.name if node.flavour == FLAVOURS[0] else HOST_NAME
    files = {
        "etc/hostname": f"{name}\n",
        "etc/hosts": HOSTS.format(name=name),
        "etc/resolv.conf": resolv_conf(),
        NETWORK_PATH: network_file(node),
    }
    if clone.config.is_file():
        files["etc/kubepi/kubepi.yaml"] = clone.config.read_text()
    for name, text in files.items():
        file = node.path / "up" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if node.firmware is not None:
        give_board(clone, node, node.firmware)
    if card is not None:
        partition = node.path / "up" / BOOT_FOLDER
        shutil.copytree(card, partition)
        for file in partition.iterdir():
            file.chmod(0o755)  # as all files of a FAT partition have it
    save(node)


def network_file(node: Node) -> str:
    return NETWORK_FILE.format(address=node.address, gateway=node.gateway)


def save(node: Node) -> None:
    (node.path / NODE_FILE).write_text(json.dumps(asdict(node), indent=2))


def moved(clone: Clone, node: Node, address: str) -> Node:
    """The same node with another address, which no other has."""
    holder = next((other.name for other in load_all(clone) if other.address == address), None)
    if holder is not None:
        raise LabError(f"{holder} has {address}")
    return replace(node, address=address)


def give_board(clone: Clone, node: Node, firmware: Path) -> None:
    """A copy of the board's firmware folder with a serial number of this node's own."""
    shutil.copytree(clone.boards / node.board / FIRMWARE, firmware, symlinks=True)
    serial = firmware / SERIAL
    if serial.is_file():
        old = serial.read_bytes()
        digits = hashlib.sha256(node.name.encode()).hexdigest()[:8].encode()
        # as a Pi's: 16 digits, of which the first eight say nothing of this one, and a zero byte
        serial.write_bytes(old[:8] + digits + old[16:])
