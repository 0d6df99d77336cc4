"""The share: one folder that all nodes have over NFS, as text, units and options; pure.

Tests: tests/unit/test_share.py. Facts: nfs(5), exports(5), nfs.conf(5) of nfs-utils 2.8.3,
systemd.mount(5), systemd.automount(5).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from uuid import NAMESPACE_URL, uuid5

from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book, find_master
from kubepi.decide.values import Wrong, dns_label, ipv4_address, quoted
from kubepi.errors import NotYet

MASTER, NONE = "master", "none"
CHECKS = ".kubepi-check"  # folder of the share for what its check writes
NOT_DATA = ("lost+found", CHECKS)
LONGEST_PATH = 40  # the advert names path and mount
TAKEN = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp",
    "/usr", "/var/lib",
)  # fmt: skip
# Of a Pi that serves or of one that lost its server. hard: a write waits and is never lost;
# noatime: no write for each read; the rest are the defaults of nfs(5), negotiated.
CLIENT_OPTIONS = "nfsvers=4.2,proto=tcp,hard,noatime,_netdev"
MOUNT_SECONDS = 30


@dataclass(frozen=True)
class Share:
    """Where it is served, and where every node has it. `address` is an IPv4 address."""

    address: str
    path: str
    mount: str

    def __str__(self) -> str:
        """As an advert has it."""
        return f"{self.address}:{self.path} {self.mount}"

    @property
    def source(self) -> str:
        return f"{self.address}:{self.path}"


def parse_share(text: str) -> Share | None:
    """What an advert says; None for none, and for what no kubepi has said."""
    found = re.fullmatch(r"([0-9.]{7,15}):(/\S*) (/\S*)", text)
    if found is None:
        return None
    try:
        return Share(str(IPv4Address(found[1])), share_folder(found[2]), share_folder(found[3]))
    except ValueError:  # Wrong is one
        return None


@dataclass(frozen=True)
class Own:
    """What this node is called, and where it is."""

    name: str
    address: str


def wanted_share(goal: Goal, book: Book, own: Own, now: float) -> Share | None:
    """The share as it should be now; None for none. `now`: seconds, the clock of the book.

    Raises:
        NotYet: the master, or the node that is to serve, was not heard.
    """
    # of several masters the one that made the cluster says it
    if not goal.makes_cluster:
        found = find_master(book.values(), now)
        if found.master is None:
            raise NotYet(f"a master ({found.sentence})")
        return parse_share(found.master.advert.share)
    server, path, mount = (goal.settings[f"storage.nfs.{n}"] for n in ("server", "path", "mount"))
    if server == NONE:
        return None
    return Share(_address_of(server, book, own), path, mount)


def _address_of(server: str, book: Book, own: Own) -> str:
    if server in (MASTER, own.name):
        return own.address
    if is_address(server):
        return server
    for peer in book.values():
        if peer.trusted and peer.advert.node == server and peer.advert.address:
            return peer.advert.address
    raise NotYet(f"the node {server}, which is to serve the share")


# --- checks of settings -------------------------------------------------------------------


def is_address(server: str) -> bool:
    return re.fullmatch("[0-9.]+", server) is not None


def share_server(value: str) -> str:
    """`master`, `none`, the name of another node, or the address of a server outside."""
    return ipv4_address(value) if is_address(value) else dns_label(value)


def share_folder(value: str) -> str:
    """An absolute path that units and exports need not quote."""
    path = str(PurePosixPath(value))
    if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+", path) or len(path) > LONGEST_PATH:
        raise Wrong(
            f"{quoted(value)} is not a path of letters, digits, dots, dashes "
            f"({LONGEST_PATH} characters at most)",
            "write it like /srv/kubepi",
        )
    if any(path == top or path.startswith(f"{top}/") for top in TAKEN):
        raise Wrong(f"{path} belongs to the system", "choose one such as /srv/kubepi")
    return path


def stable_disk(value: str) -> str:
    """A whole disk by a name that is the same after the next boot."""
    if not re.fullmatch(r"/dev/disk/by-id/[A-Za-z0-9_.:+-]+", value):
        raise Wrong(
            f"{quoted(value)} is not a disk by its stable id",
            "ls -l /dev/disk/by-id lists them; write it like /dev/disk/by-id/usb-Samsung_T7-0:0",
        )
    return value


# --- units and files ----------------------------------------------------------------------


def client_mount(share: Share) -> str:
    """The mount of the server's share; its automount starts it at the first use."""
    return _mount_unit(share.source, share.mount, "nfs4", CLIENT_OPTIONS, "After=network.target")


def own_mount(share: Share) -> str:
    """The server has its own folder there: NFS to itself can lock up when memory is short."""
    return _mount_unit(
        share.path, share.mount, "none", "bind", f"RequiresMountsFor={share.path}"
    )


def _mount_unit(what: str, where: str, kind: str, options: str, needs: str) -> str:
    # LazyUnmount: a server that is away must not hold up a shutdown; never by force, which gives
    # up writes that wait. No limit of starts: as long as the server is away, each try fails
    return f"""\
[Unit]
Description=kubepi: the share
{needs}
StartLimitIntervalSec=0

[Mount]
What={what}
Where={where}
Type={kind}
Options={options}
TimeoutSec={MOUNT_SECONDS}
LazyUnmount=yes
"""


def automount_unit(share: Share) -> str:
    # never unmounted when idle: a pod's volume would keep the old mount beside a new one
    return f"""\
[Unit]
Description=kubepi: the share, mounted at its first use, so that no boot waits for it
Before=kubelet.service

[Automount]
Where={share.mount}
TimeoutIdleSec=0

[Install]
WantedBy=multi-user.target
"""


def exports(path: str, subnet: str, is_disk: bool) -> str:
    """A line for exports(5). The fsid is made of the path: another disk there is the same share.

    sync: an acknowledged write is on the disk, also after a power cut. no_root_squash: root of a
    node makes the folders of volumes and gives them to the users of pods.
    """
    options = ["rw", "sync", "no_subtree_check", "no_root_squash", f"fsid={fsid(path)}"]
    if is_disk:
        options.append("mountpoint")  # else the card would be shared where the disk is missing
    return f"{path} {subnet}({','.join(options)})\n"


def fsid(path: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"kubepi:{path}"))


# Clients come back within seconds of a reboot; waiting 90 s for them is for larger networks.
NFS_CONF = """\
[nfsd]
vers3=n
vers4=y
grace-time=20
lease-time=20
"""
