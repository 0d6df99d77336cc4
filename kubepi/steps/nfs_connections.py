"""Connections of NFS mounts to a server that got another address.

A hard mount waits for the old one for ever, and a new mount of the same server would share that
connection (trunking of NFSv4.1). The kernel takes another address at
/sys/kernel/sunrpc/xprt-switches/*/xprt-*/dstaddr (since 5.14, net/sunrpc/sysfs.c), and all goes
on that waits. May touch: these files. Tests: tests/steps/test_nfs_connections.py,
tests/lab/test_vm_address.py.
"""

from dataclasses import dataclass

from kubepi.machine.host import Host
from kubepi.machine.step import Finding

SWITCHES = "/sys/kernel/sunrpc/xprt-switches"


@dataclass(frozen=True)
class ConnectionsFollow:
    """Those to `old` lead to `new`, which is the same server."""

    old: str
    new: str

    @property
    def name(self) -> str:
        return f"NFS connections to {self.new}"

    def check(self, host: Host) -> Finding | None:
        left = self._left(host)
        return Finding(f"{len(left)} to {self.old}") if left else None

    def apply(self, host: Host) -> None:
        for name in self._left(host):
            host.tune(name, f"{self.new}\n")  # without the line's end the first kernels cut it off

    def _left(self, host: Host) -> list[str]:
        names = [
            f"{SWITCHES}/{switch}/{link}/dstaddr"
            for switch in host.listdir(SWITCHES)
            for link in host.listdir(f"{SWITCHES}/{switch}")
            if link.endswith("-tcp")
        ]
        return [name for name in names if (host.read(name) or "").strip("\0\n ") == self.old]
