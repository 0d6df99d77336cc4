"""The share: served by one node, mounted by all, followed when the master's advert names another.

A step made of steps: which ones is known only once the master was heard. May touch: the folder or
disk that is served, exports, nfs.conf.d, the mount and automount units, the mount point.
Tests: tests/steps/test_share.py, tests/lab/test_vm_share.py.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from kubepi.cluster import kubectl
from kubepi.decide import share as texts
from kubepi.decide.goal import Goal
from kubepi.decide.mounts import NFS_SERVER
from kubepi.decide.share import Share
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.disks import mount_problem
from kubepi.machine.host import Host
from kubepi.machine.interfaces import read_network
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding, Step
from kubepi.steps.disks import FolderOpened, FolderShut
from kubepi.steps.files import File
from kubepi.steps.kubeadm import node_name
from kubepi.steps.mounts import (
    EXPORTS,
    Automount,
    ExportsEnded,
    FolderMade,
    MountEnded,
    UnitsMasked,
    UnitsUnmasked,
    disk_parts,
)
from kubepi.steps.names import own_address
from kubepi.steps.nfs_connections import ConnectionsFollow
from kubepi.steps.packages import AptPackages
from kubepi.steps.parts import first_finding, make_right
from kubepi.steps.services import ServiceRunning

NFS_CONF = "/etc/nfs.conf.d/kubepi.conf"
LABEL = "kubepi-share"
# of NFSv3, which Debian's packages bring and start, and which listens on the LAN
OLD_NFS = ("rpcbind.service", "rpcbind.socket", "rpc-statd.service", "rpc-statd-notify.service")


def named_share(host: Host, goal: Goal) -> Share | None:
    """The share as it should be now.

    Raises:
        NotYet: the master, or the node that is to serve, was not heard.
    """
    own = texts.Own(node_name(host), own_address(host, goal))
    return texts.wanted_share(goal, read_peers(host), own, host.monotonic())


def current_share(host: Host, goal: Goal) -> Share | None:
    """As it should be; where nobody can be asked, as it was last.

    A master begins without one if another node is to serve: that joins later, and then the agent
    follows it.

    Raises:
        NotYet: nobody can be asked, and there was none before.
    """
    try:
        return named_share(host, goal)
    except NotYet:
        is_member = host.exists(kubectl.KUBELET)
        if goal.makes_cluster or is_member or host.exists(state.SHARE):
            return followed_share(host)
        raise


def serves(host: Host, goal: Goal, share: Share) -> bool:
    return share.address == own_address(host, goal)


def own_subnet(host: Host, goal: Goal) -> str:
    """That of this node's address, such as 192.168.1.0/24: the only clients.

    Of an address that no interface has, only that address itself.
    """
    address = own_address(host, goal)
    found = [a for link in read_network(host)[0] for a in link.addresses]
    own = next((a for a in found if a.partition("/")[0] == address), address)
    return str(IPv4Interface(own).network)


@dataclass(frozen=True)
class ShareServed:
    """Exported by this node if it is the server, and by no other of kubepi's."""

    goal: Goal = field(repr=False)

    @property
    def name(self) -> str:
        return "share served"

    def _parts(self, host: Host) -> list[Step]:
        share = current_share(host, self.goal)
        if share is None or not serves(host, self.goal, share):
            return [ExportsEnded()]
        disk = self.goal.settings["storage.nfs.device"]
        subnet = own_subnet(host, self.goal)
        return [
            *(share_disk(disk, share.path) if disk else [FolderMade(share.path)]),
            AptPackages(("nfs-kernel-server",), self.goal.settings["downloads.kit"]),
            File(NFS_CONF, texts.NFS_CONF, restarts=(NFS_SERVER,)),
            File(
                EXPORTS, texts.exports(share.path, subnet, bool(disk)), restarts=(NFS_SERVER,)
            ),
            ServiceRunning(NFS_SERVER),
        ]

    def check(self, host: Host) -> Finding | None:
        return first_finding(self._parts(host), host)

    def apply(self, host: Host) -> None:
        make_right(self._parts(host), host)


@dataclass(frozen=True)
class ShareMounted:
    """At its place on this node, by an automount; the server has its own folder there."""

    goal: Goal = field(repr=False)

    @property
    def name(self) -> str:
        return "share mounted"

    def _parts(self, host: Host, share: Share) -> list[Step]:
        own, before = serves(host, self.goal, share), followed_share(host)
        packages = AptPackages(("nfs-common",), self.goal.settings["downloads.kit"])
        moved = before is not None and before.address != share.address
        same = moved and self._server(host, share) == (host.read(state.SHARE_SERVER) or "").strip()
        return [
            *([] if own else [packages]),
            # what pods have open goes on; else it would wait for the old address for ever
            *([ConnectionsFollow(before.address, share.address)] if before and same else []),
            UnitsMasked(OLD_NFS, "rpcbind"),
            FolderShut(share.mount),
            Automount(share.mount, texts.own_mount(share) if own else texts.client_mount(share),
                      texts.automount_unit(share)),
        ]  # fmt: skip

    def check(self, host: Host) -> Finding | None:
        share = current_share(host, self.goal)
        before = followed_share(host)
        if before is not None and (share is None or before.mount != share.mount):
            return Finding(f"at {before.mount} still")
        if share is None:
            return None
        finding = first_finding(self._parts(host, share), host)
        if finding is None and before != share:
            return Finding("is not noted")
        return finding

    def apply(self, host: Host) -> None:
        share, before = current_share(host, self.goal), followed_share(host)
        if share is not None and (before is None or before.mount != share.mount):
            problem = mount_problem(host, share.mount)
            if problem is not None:
                raise StepFailed(*problem)
        if before is not None and (share is None or before.mount != share.mount):
            make_right([MountEnded(before.mount), FolderOpened(before.mount)], host)
        if share is not None:
            make_right(self._parts(host, share), host)
            host.write(state.SHARE_SERVER, f"{self._server(host, share)}\n", 0o600)
        host.write(state.SHARE, f"{share or ''}\n", 0o600)

    def _server(self, host: Host, share: Share) -> str:
        """The name of the node that serves it; the address of one that is no node."""
        if serves(host, self.goal, share):
            return node_name(host)
        heard = (peer.advert for peer in read_peers(host).values() if peer.trusted)
        names = [advert.node for advert in heard if advert.address == share.address]
        return names[0] if names else share.address


@dataclass(frozen=True)
class ShareLeft:
    """This node has no share any more and serves none; the data stays where it was served."""

    @property
    def name(self) -> str:
        return "no share"

    def _parts(self, host: Host) -> list[Step]:
        share = followed_share(host)
        unmasked = UnitsUnmasked(OLD_NFS)
        if share is None:
            return [ExportsEnded(), unmasked]
        # what is left of a server until the end of the reset
        served = [share.path] if host.exists(NFS_CONF) else []
        return [
            ExportsEnded(),
            unmasked,
            MountEnded(share.mount),
            *(MountEnded(path) for path in served),
            *(FolderOpened(folder) for folder in (share.mount, *served)),
        ]

    def check(self, host: Host) -> Finding | None:
        return first_finding(self._parts(host), host)

    def apply(self, host: Host) -> None:
        make_right(self._parts(host), host)


def share_disk(disk: str, path: str) -> list[Step]:
    return disk_parts(disk, LABEL, path, (NFS_SERVER,))
