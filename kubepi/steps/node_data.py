"""etcd, containerd, kubelet and the local volumes on a disk of their own, off the SD card.

Made with the node, before any of them has written anything: what is on the card is not moved.
May touch: an empty disk that the config names, /var/lib/kubepi-data, mount units.
Tests: tests/steps/test_node_data.py, tests/lab/test_vm_data.py.
"""

from dataclasses import dataclass

from kubepi.decide.mounts import DATA, NODE_DATA, NODE_SERVICES, bind_mount
from kubepi.machine import state
from kubepi.machine.disks import Problem, disk_problem
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step
from kubepi.steps.disks import FolderOpened
from kubepi.steps.mounts import FolderMade, MountEnded, disk_parts, mount_parts
from kubepi.steps.parts import first_finding, make_right

LABEL = "kubepi-data"


@dataclass(frozen=True)
class NodeData:
    """What a node writes most, on its own disk."""

    disk: str

    @property
    def name(self) -> str:
        return f"node data on {self.disk}"

    def _parts(self) -> list[Step]:
        parts = disk_parts(self.disk, LABEL, DATA, NODE_SERVICES)
        for folder, place in NODE_DATA.items():
            source = f"{DATA}/{folder}"
            text = bind_mount(source, place, NODE_SERVICES)
            parts += [FolderMade(source), FolderMade(place), *mount_parts(place, text)]
        return parts

    def check(self, host: Host) -> Finding | None:
        return first_finding(self._parts(), host)

    def apply(self, host: Host) -> None:
        make_right(self._parts(), host)


@dataclass(frozen=True)
class NodeDataLeft:
    """The disk is not mounted any more; what is on it stays until somebody wipes it."""

    @property
    def name(self) -> str:
        return "no disk for node data"

    def _parts(self) -> list[Step]:
        places = [*NODE_DATA.values(), DATA]
        return [*(MountEnded(place) for place in places), *(FolderOpened(p) for p in places)]

    def check(self, host: Host) -> Finding | None:
        return first_finding(self._parts(), host)

    def apply(self, host: Host) -> None:
        make_right(self._parts(), host)


def node_data_problem(host: Host, disk: str) -> Problem | None:
    """What is in the way of a disk that a new node is to have; looks only."""
    saved = state.load_goal(host)
    if not disk or (saved is not None and saved.settings.get("storage.node_data") == disk):
        return None  # this run, or one before it, may have begun already
    problem = disk_problem(host, disk)
    if problem is not None:
        return problem
    for place in NODE_DATA.values():
        if host.listdir(place):
            return (
                f"{place} is not empty: node data goes to a disk when the node is made",
                "kubepi reset first, or leave storage.node_data out",
            )
    return None
