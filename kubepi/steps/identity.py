"""Who this node is: its host name, and an identity that no cloned card shares.

May touch: /etc/hostname, kubepi's block in /etc/hosts, the running kernel's name; and on a cloned
card /etc/machine-id and the SSH host keys. Tests: tests/steps/test_identity.py and tests/laws.
"""

import base64
from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kernel import first_line
from kubepi.machine.step import Finding
from kubepi.steps.files import BlockAbsent, FileRestored, MarkedBlock

HOSTNAME = "/etc/hostname"
HOSTS = "/etc/hosts"
RUNNING_NAME = "/proc/sys/kernel/hostname"
LABEL = "own-name"
AVAHI = "avahi-daemon.service"
IDENTITY = f"{state.STATE}/identity"
MACHINE_ID = "/etc/machine-id"
SECOND_MACHINE_ID = "/var/lib/dbus/machine-id"
SSH = "/etc/ssh"
OF_ONE_NODE = (
    state.NODE_ID, state.SEQUENCE, state.VOTE, state.SYNC_LATENCY, state.WAS_MASTER,
    state.ELECTION, state.LIFE, state.REPLACED,
)  # fmt: skip


def copied_from(host: Host, serial: str | None) -> str | None:
    """The board whose identity this card carries, if that is not this one."""
    made_for = (host.read(IDENTITY) or "").strip()
    return made_for if serial is not None and made_for not in ("", serial) else None


@dataclass(frozen=True)
class UniqueIdentity:
    """machine-id and SSH host keys belong to this board and not to the one a card was copied from.

    Nodes with one machine-id get one DHCP lease and one flannel address.
    """

    serial: str

    @property
    def name(self) -> str:
        return "identity of this board"

    def check(self, host: Host) -> Finding | None:
        if not (host.read(IDENTITY) or "").strip():
            return Finding("is not recorded")
        other = copied_from(host, self.serial)
        return None if other is None else Finding(f"is that of {other}: a copied card")

    def apply(self, host: Host) -> None:
        is_member = host.exists(kubectl.KUBELET)
        # a member's card that was only moved keeps what it is (kubepi/agent/copied.py)
        is_copy = host.exists(state.COPIED) or not is_member
        if copied_from(host, self.serial) is not None and is_copy:
            state.want_reboot(host, f"a machine-id of its own for {self.serial}")
            _renew_machine_id(host)
            _renew_ssh_keys(host)
            # the agent of a copied card speaks with an id of its own
            state.want_restart(host, "kubepi-agent.service")
            for name in OF_ONE_NODE:
                host.remove(name)
        host.mkdir(state.STATE, 0o700)
        host.write(IDENTITY, f"{self.serial}\n", 0o600)
        host.remove(state.COPIED)


@dataclass(frozen=True)
class HostNamed:
    """The node's name: in /etc/hostname, in the running kernel, and resolvable on the node."""

    host_name: str

    @property
    def name(self) -> str:
        return f"host name {self.host_name}"

    def check(self, host: Host) -> Finding | None:
        written, running = first_line(host, HOSTNAME), first_line(host, RUNNING_NAME)
        if written != self.host_name:
            return Finding(f"is {written or 'not set'}")
        if running != self.host_name:
            return Finding(f"is still {running} until it is set")
        return None if self._resolves(host) else Finding(f"is not in {HOSTS}")

    def apply(self, host: Host) -> None:
        # avahi learns a new name only when it starts
        state.want_restart(host, AVAHI)
        if not self._resolves(host):
            MarkedBlock(HOSTS, LABEL, (f"127.0.1.1\t{self.host_name}",)).apply(host)
        if first_line(host, HOSTNAME) != self.host_name:
            state.keep_oldest(host, HOSTNAME)
            host.write(HOSTNAME, f"{self.host_name}\n")
        if first_line(host, RUNNING_NAME) != self.host_name:
            host.run(["hostname", self.host_name])

    def _resolves(self, host: Host) -> bool:
        lines = (host.read(HOSTS) or "").splitlines()
        return any(self.host_name in line.partition("#")[0].split()[1:] for line in lines)


@dataclass(frozen=True)
class HostNameRestored:
    """The host name that was there before kubepi."""

    @property
    def name(self) -> str:
        return "host name as before"

    def check(self, host: Host) -> Finding | None:
        found = BlockAbsent(HOSTS, LABEL).check(host)
        return FileRestored(HOSTNAME).check(host) if found is None else found

    def apply(self, host: Host) -> None:
        copy = state.kept_copy(host, HOSTNAME)
        if copy is not None and copy["content"] is not None:
            before = base64.b64decode(copy["content"]).decode().strip()
            if before and before != first_line(host, RUNNING_NAME):
                state.want_restart(host, AVAHI)
                host.run(["hostname", before])
        BlockAbsent(HOSTS, LABEL).apply(host)
        FileRestored(HOSTNAME).apply(host)


def _renew_machine_id(host: Host) -> None:
    """A random UUID of version 4 without dashes, as machine-id(5) says."""
    number = bytearray(host.random("machine-id", 16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    for path in (MACHINE_ID, SECOND_MACHINE_ID):
        # Debian links the second to the first; then one of them is enough
        if host.exists(path) and host.link_target(path) is None:
            host.write(path, f"{number.hex()}\n", 0o444)


def _renew_ssh_keys(host: Host) -> None:
    if not host.exists("/usr/sbin/sshd"):
        return
    for name in host.listdir(SSH):
        if name.startswith("ssh_host_") and name.endswith(("_key", "_key.pub")):
            host.remove(f"{SSH}/{name}")
    host.run(["ssh-keygen", "-A"])
