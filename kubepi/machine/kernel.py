"""Facts about the running kernel: width, pages, memory, processors, cgroups, capabilities."""

import re
import struct

from kubepi.machine.host import Host

CAP_SYS_RESOURCE = 24
AT_PAGESZ = 6
NARROW = ("armhf", "armel", "i386")
ALL_IDS = ["0", "0", "4294967295"]


def kernel_bits(host: Host, architecture: str) -> int:
    """A 32-bit Raspberry Pi OS runs a 64-bit kernel on a Pi 4 and newer."""
    machine = first_line(host, "/proc/sys/kernel/arch")
    if machine:
        return 64 if "64" in machine or machine == "s390x" else 32
    # before Linux 6.1: a 64-bit system proves it, "asimd" is the 64-bit kernel's word for NEON
    features = host.read("/proc/cpuinfo") or ""
    return 64 if architecture not in NARROW or " asimd" in features else 32


def page_size(host: Host, architecture: str) -> int | None:
    """16384 with the Pi 5's own kernel, which some images cannot bear."""
    try:
        words = host.read_bytes("/proc/self/auxv") or b""
    except PermissionError:
        return None  # a process that gave up its rights may not look at itself
    form = "<II" if architecture in NARROW else "<QQ"
    whole = len(words) - len(words) % struct.calcsize(form)
    for key, value in struct.iter_unpack(form, words[:whole]):
        if key == AT_PAGESZ:
            return int(value)
    return None


def memory_mb(host: Host) -> int:
    """What the kernel has, as kubeadm counts it: less than what the board has."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", host.read("/proc/meminfo") or "", re.MULTILINE)
    return 0 if found is None else int(found[1]) // 1024


def count_cpus(host: Host) -> int:
    """How many numbers "0-3,6" names; 1 where the kernel does not say."""
    ranges = first_line(host, "/sys/devices/system/cpu/online")
    ends = (part.partition("-") for part in ranges.split(",") if part)
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends) or 1


def cgroup_version(host: Host) -> int:
    return 2 if host.exists("/sys/fs/cgroup/cgroup.controllers") else 1


def has_memory_controller(host: Host, version: int) -> bool:
    """Never by /proc/cgroups: since 6.12 it leaves memory out (raspberrypi/linux #6980)."""
    if version == 2:
        return "memory" in (host.read("/sys/fs/cgroup/cgroup.controllers") or "").split()
    mounts = (line.split() for line in (host.read("/proc/self/mounts") or "").splitlines())
    return any(
        fields[2] == "cgroup" and "memory" in fields[3].split(",")
        for fields in mounts
        if len(fields) > 3
    )


def can_lower_oom_score(host: Host) -> bool:
    """Root lacks CAP_SYS_RESOURCE in some containers, and has it in vain in a user namespace."""
    status = dict(
        line.split(":", 1) for line in (host.read("/proc/self/status") or "").splitlines()
        if ":" in line
    )  # fmt: skip
    # without root, what root could get is the bounding set
    is_root = status.get("Uid", "0").split()[:1] == ["0"]
    held = status.get("CapEff" if is_root else "CapBnd", "").strip()
    ids = (host.read("/proc/self/uid_map") or "0 0 4294967295").split()
    if ids[:3] != ALL_IDS:
        return False
    return not held or bool(int(held, 16) >> CAP_SYS_RESOURCE & 1)


def first_line(host: Host, name: str) -> str:
    return (host.read(name) or "").partition("\n")[0].strip()
