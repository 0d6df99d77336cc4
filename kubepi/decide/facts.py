"""Facts: what this machine is, as plain data; machine/facts.py is what looks."""

from dataclasses import dataclass
from typing import Literal

from kubepi.decide.boards import Board

LinkKind = Literal["wired", "wireless", "virtual"]


@dataclass(frozen=True)
class Interface:
    """One network interface; `addresses` are IPv4 with their prefix, "192.168.1.20/24"."""

    name: str
    kind: LinkKind
    mac: str | None
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """The interface that the node will use, and why that one."""

    interface: str
    address: str
    prefix: int
    is_wireless: bool
    gateway: str | None
    reason: str


@dataclass(frozen=True)
class Storage:
    """What is under `/`: "SD card", "eMMC", "USB", "NVMe", "SATA", "virtual disk", ..."""

    kind: str
    device: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Facts:
    """Cheap to look at, without root and without starting a program."""

    board: Board
    architecture: str
    """dpkg's name of it, "arm64"; "unknown" where there is no dpkg."""
    os_id: str
    os_version: str
    os_codename: str
    os_name: str
    kernel: str
    kernel_bits: int
    userland_bits: int
    page_size: int | None
    host_name: str
    boot_folder: str | None
    """Where cmdline.txt and config.txt are; None where the machine boots another way."""
    memory_mb: int
    cpus: int
    cgroup_version: int
    memory_controller: bool
    can_lower_oom_score: bool
    storage: Storage
    interfaces: tuple[Interface, ...]
    network: Network | None
    wired_mac: str | None
    swap: tuple[str, ...]
    """The mechanisms that make swap, now or at the next boot: "rpi-swap", "fstab", ..."""
    kubernetes: tuple[str, ...]
    """Traces of a Kubernetes, kubepi's own or another: "kubelet", "control plane", "k3s", ..."""
    has_network_manager: bool
    has_avahi: bool
    has_cloud_init: bool
    seeded_name: str
    """The host name that an imager left for cloud-init on the boot partition; "" for none."""

    @property
    def lan_interfaces(self) -> tuple[str, ...]:
        """Names of the interfaces that lead out of the machine."""
        return tuple(link.name for link in self.interfaces if link.kind != "virtual")


@dataclass(frozen=True)
class Clock:
    """Where the time comes from; `is_synchronised` is None where nobody can tell."""

    service: str
    is_synchronised: bool | None
    has_rtc: bool


@dataclass(frozen=True)
class Health:
    """What takes a program to find out; `power` is None where it cannot be known."""

    power: tuple[str, ...] | None
    power_source: str
    temperature: float | None
    clock: Clock
