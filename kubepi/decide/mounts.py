"""Mount units as text: disks, and folders on them, with who must not start without them; pure.

Tests: tests/unit/test_share.py. Facts: systemd.unit(5), systemd.mount(5).
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

UNITS = "/etc/systemd/system"
DATA = "/var/lib/kubepi-data"  # where the disk of storage.node_data is
# What writes most, and what is worth most: folder on that disk -> its place in the system.
NODE_DATA = {
    "containerd": "/var/lib/containerd",
    "etcd": "/var/lib/etcd",
    "kubelet": "/var/lib/kubelet",
    "volumes": "/var/lib/kubepi-volumes",
}
NODE_SERVICES = ("containerd.service", "kubelet.service")
NFS_SERVER = "nfs-server.service"


def unit_name(path: str, kind: str) -> str:
    """As `systemd-escape --path` makes it: /mnt/my-share is mnt-my\\x2dshare."""
    parts = PurePosixPath(path).parts[1:]
    return "-".join(part.replace("-", "\\x2d") for part in parts) + f".{kind}"


def disk_mount(disk: str, path: str, needed_by: Sequence[str]) -> str:
    """Without the disk the boot goes on, and what needs it does not start."""
    return _unit(f"the disk at {path}", disk, path, "ext4", "noatime", needed_by)


def bind_mount(source: str, path: str, needed_by: Sequence[str]) -> str:
    """A folder of a disk at its place in the system."""
    first = f"RequiresMountsFor={source}\n"
    return _unit(f"{path} on its disk", source, path, "none", "bind", needed_by, first)


def _unit(
    about: str, what: str, where: str, kind: str, options: str, needed_by: Sequence[str],
    first: str = "",
) -> str:  # fmt: skip
    services = " ".join(needed_by)
    # not one of those that local-fs.target, and so the whole boot, waits for; the limit counts
    # from the start of the boot, with the check of the root after a power cut in it
    return f"""\
[Unit]
Description=kubepi: {about}
DefaultDependencies=no
After=local-fs-pre.target
Conflicts=umount.target
{first}Before=umount.target {services}
JobTimeoutSec=120

[Mount]
What={what}
Where={where}
Type={kind}
Options={options}

[Install]
WantedBy=multi-user.target
RequiredBy={services}
"""
