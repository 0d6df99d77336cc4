"""A card that is flashed anew in the board that it was in: the few files that the lab gave it.

The board keeps the address that it has by now, as it gets it from a DHCP server.
"""

import shutil
from pathlib import Path

from labnodes import NETWORK_PATH
from pis import FILE, Pis

DISKS = ("up", "containerd", "kubelet")


def keep_fresh(pis: Pis, node: str) -> None:
    """Before the node is told anything."""
    folder = pis.folders[node]
    names = ("etc/hostname", "etc/hosts", "etc/resolv.conf", NETWORK_PATH, "etc/kubepi/kubepi.yaml")
    for name in names:
        target = folder / "fresh" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "up" / name, target)
    shutil.copytree(folder / "up" / Path(FILE).parent.relative_to("/"), folder / "fresh/root")


def flash(pis: Pis, node: str) -> None:
    """While it is off."""
    folder = pis.folders[node]
    shutil.copy(folder / "up" / NETWORK_PATH, folder / "fresh" / NETWORK_PATH)
    for disk in DISKS:
        shutil.rmtree(folder / disk)
        (folder / disk).mkdir()
    shutil.rmtree(folder / "up")
    shutil.copytree(folder / "fresh", folder / "up", symlinks=True)
