"""Facts: what the machine is, by looking at files only; root and programs are not needed.

Tests: tests/boards/NAME, a folder of real files and the facts expected of them.
"""

import re

from kubepi.decide.boards import Board, identify, identify_pc
from kubepi.decide.facts import Facts, Interface, Network, Storage
from kubepi.machine.host import Host
from kubepi.machine.interfaces import read_network, wired_mac
from kubepi.machine.kernel import (
    NARROW,
    can_lower_oom_score,
    cgroup_version,
    count_cpus,
    first_line,
    has_memory_controller,
    kernel_bits,
    memory_mb,
    page_size,
)
from kubepi.machine.storage import root_storage
from kubepi.machine.swap import mechanisms

__all__ = ["Board", "Facts", "Interface", "Network", "Storage", "look"]

# /proc/device-tree is a link to it; a container can be given another one here.
DEVICE_TREE = "/sys/firmware/devicetree/base"
DMI = "/sys/class/dmi/id"
# Raspberry Pi OS from bookworm on leaves a text file at the old place that says so.
STUB = "has moved to"
BOOT_FOLDERS = ("/boot/firmware", "/boot")
KNOWN_ARCHITECTURES = ("arm64", "armhf", "amd64", "i386", "armel", "riscv64")
TRACES = {
    "kubelet": ("/usr/bin/kubelet", "/usr/local/bin/kubelet"),
    "node": ("/etc/kubernetes/kubelet.conf",),
    "control plane": ("/etc/kubernetes/manifests/kube-apiserver.yaml",),
    "k3s": ("/usr/local/bin/k3s", "/etc/rancher/k3s", "/var/lib/rancher/k3s"),
    "rke2": ("/usr/local/bin/rke2", "/etc/rancher/rke2", "/var/lib/rancher/rke2"),
    "k0s": ("/usr/local/bin/k0s", "/var/lib/k0s", "/etc/k0s"),
    "microk8s": ("/snap/microk8s", "/var/snap/microk8s"),
}


def look(host: Host) -> Facts:
    """All facts; cheap enough for every command."""
    system = os_release(host.read("/etc/os-release") or host.read("/usr/lib/os-release") or "")
    interfaces, network = read_network(host)
    architecture = dpkg_architecture(host)
    version = cgroup_version(host)
    folder = boot_folder(host)
    return Facts(
        board=board(host),
        architecture=architecture,
        os_id=system.get("ID", "linux"),
        os_version=system.get("VERSION_ID", ""),
        os_codename=system.get("VERSION_CODENAME", ""),
        os_name=_os_name(host, system),
        kernel=first_line(host, "/proc/sys/kernel/osrelease"),
        kernel_bits=kernel_bits(host, architecture),
        userland_bits=32 if architecture in NARROW else 64,
        page_size=page_size(host, architecture),
        host_name=first_line(host, "/etc/hostname")
        or first_line(host, "/proc/sys/kernel/hostname"),
        boot_folder=folder,
        memory_mb=memory_mb(host),
        cpus=count_cpus(host),
        cgroup_version=version,
        memory_controller=has_memory_controller(host, version),
        can_lower_oom_score=can_lower_oom_score(host),
        storage=root_storage(host),
        interfaces=interfaces,
        network=network,
        wired_mac=wired_mac(interfaces),
        swap=mechanisms(host),
        kubernetes=tuple(
            name for name, paths in TRACES.items() if any(host.exists(path) for path in paths)
        ),
        has_network_manager=host.exists("/usr/sbin/NetworkManager"),
        has_avahi=host.exists("/usr/sbin/avahi-daemon"),
        has_cloud_init=host.exists("/usr/bin/cloud-init")
        and not host.exists("/etc/cloud/cloud-init.disabled"),
        seeded_name=seeded_name(host, folder),
    )


def board(host: Host) -> Board:
    model = _tree_words(host, "model")
    if not model and not host.is_dir(DEVICE_TREE):
        return identify_pc(first_line(host, f"{DMI}/product_name"), _processor(host))
    code = host.read_bytes(f"{DEVICE_TREE}/system/linux,revision")
    serial = _tree_words(host, "serial-number")
    return identify(
        model[0] if model else "",
        _tree_words(host, "compatible"),
        None if code is None or len(code) != 4 else int.from_bytes(code, "big"),
        serial[0] if serial else None,
    )


def dpkg_architecture(host: Host) -> str:
    """dpkg keeps its own architecture as the first line, once it was told of a second one."""
    listed = first_line(host, "/var/lib/dpkg/arch")
    if listed:
        return listed
    for name in KNOWN_ARCHITECTURES:
        if host.exists(f"/var/lib/dpkg/info/libc6:{name}.list"):
            return name
    return "unknown"


def boot_folder(host: Host) -> str | None:
    for folder in BOOT_FOLDERS:
        try:
            text = host.read(f"{folder}/cmdline.txt")
        except PermissionError:
            return folder  # a partition that only root may read is no stub
        if text is not None and STUB not in text:
            return folder
    return None


def seeded_name(host: Host, folder: str | None) -> str:
    """`hostname:` of the user-data beside cmdline.txt, which cloud-init sets later in this boot."""
    try:
        text = "" if folder is None else host.read(f"{folder}/user-data") or ""
    except PermissionError:
        return ""
    found = re.search(r"^hostname:[ \t]*[\"']?([A-Za-z0-9-]+)", text, re.MULTILINE)
    return "" if found is None else found[1]


def os_release(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, mark, value in pairs if mark}


def _os_name(host: Host, system: dict[str, str]) -> str:
    name = system.get("PRETTY_NAME", system.get("ID", "Linux"))
    return f"Raspberry Pi OS, {name}" if host.exists("/etc/rpi-issue") else name


def _processor(host: Host) -> str | None:
    found = re.search(r"^model name\s*:\s*(.+)$", host.read("/proc/cpuinfo") or "", re.MULTILINE)
    return None if found is None else found[1].strip()


def _tree_words(host: Host, name: str) -> tuple[str, ...]:
    """Strings in a device tree end in a NUL each."""
    text = host.read(f"{DEVICE_TREE}/{name}") or ""
    return tuple(word.strip() for word in text.split("\0") if word.strip())
