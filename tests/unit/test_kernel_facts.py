"""Facts about kernels that no board's folder shows: cgroup v1, containers, old kernels."""

import struct
from pathlib import Path

import pytest

from kubepi.machine import kernel
from kubepi.machine.facts import board, dpkg_architecture, look, os_release
from tests.fakes import FakePi

ROOT = "Uid:\t0\t0\t0\t0\n"
USER = "Uid:\t1000\t1000\t1000\t1000\n"
ALL, WITHOUT = "000001ffffffffff", "000001fffeffffff"


def test_cgroup_v1_counts_by_the_mounted_controller(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/proc/cgroups": "memory\t0\t1\t1\n"})
    assert kernel.cgroup_version(pi) == 1
    assert not kernel.has_memory_controller(pi, 1)
    pi.put("/proc/self/mounts", "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n")
    assert kernel.has_memory_controller(pi, 1)


def test_cgroup_v2_does_not_ask_proc_cgroups(tmp_path: Path) -> None:
    """Pain point 2: since 6.12 /proc/cgroups leaves memory out though it works."""
    pi = FakePi(tmp_path, {"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
                           "/proc/cgroups": "cpuset\t0\t1\t1\n"})  # fmt: skip
    assert kernel.has_memory_controller(pi, kernel.cgroup_version(pi))


@pytest.mark.parametrize(
    ("status", "uid_map", "can"),
    [
        (f"{ROOT}CapEff:\t{ALL}\nCapBnd:\t{ALL}\n", "0 0 4294967295\n", True),
        (f"{ROOT}CapEff:\t{WITHOUT}\nCapBnd:\t{WITHOUT}\n", "0 0 4294967295\n", False),
        (f"{USER}CapEff:\t0000000000000000\nCapBnd:\t{ALL}\n", "0 0 4294967295\n", True),
        (f"{USER}CapEff:\t0000000000000000\nCapBnd:\t{WITHOUT}\n", "0 0 4294967295\n", False),
        # an unprivileged LXC container has every capability, but only in its own namespace
        (f"{ROOT}CapEff:\t{ALL}\n", "0 100000 65536\n", False),
        ("", "", True),
    ],
)
def test_lowering_the_oom_score(tmp_path: Path, status: str, uid_map: str, can: bool) -> None:
    pi = FakePi(tmp_path, {"/proc/self/status": status, "/proc/self/uid_map": uid_map})
    assert kernel.can_lower_oom_score(pi) is can


@pytest.mark.parametrize(
    ("arch", "architecture", "features", "bits"),
    [
        ("aarch64\n", "armhf", "", 64),
        ("armv7l\n", "armhf", "", 32),
        ("x86_64\n", "amd64", "", 64),
        # before Linux 6.1 the kernel does not say
        ("", "arm64", "", 64),
        ("", "armhf", "Features\t: fp asimd evtstrm crc32 cpuid\n", 64),
        ("", "armhf", "Features\t: half thumb fastmult vfp edsp neon vfpv3\n", 32),
    ],
)
def test_kernel_width(
    tmp_path: Path, arch: str, architecture: str, features: str, bits: int
) -> None:
    pi = FakePi(tmp_path, {"/proc/sys/kernel/arch": arch, "/proc/cpuinfo": features})
    assert kernel.kernel_bits(pi, architecture) == bits


def test_page_size_of_a_cut_off_vector(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    assert kernel.page_size(pi, "arm64") is None
    path = pi.path("/proc/self/auxv")
    path.parent.mkdir(parents=True)
    path.write_bytes(struct.pack("<QQ", 6, 16384) + b"\1\2\3")
    assert kernel.page_size(pi, "arm64") == 16384


@pytest.mark.parametrize(("ranges", "number"), [("0-3\n", 4), ("0\n", 1), ("0,2-3\n", 3), ("", 1)])
def test_processors(tmp_path: Path, ranges: str, number: int) -> None:
    pi = FakePi(tmp_path, {"/sys/devices/system/cpu/online": ranges})
    assert kernel.count_cpus(pi) == number


def test_first_architecture_is_dpkgs_own(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    assert dpkg_architecture(pi) == "unknown"
    pi.put("/var/lib/dpkg/info/libc6:armhf.list", "")
    assert dpkg_architecture(pi) == "armhf"
    pi.put("/var/lib/dpkg/info/libc6:arm64.list", "")
    pi.put("/var/lib/dpkg/arch", "armhf\narm64\n")
    assert dpkg_architecture(pi) == "armhf"


def test_os_release_quotes() -> None:
    text = "# comment\nNAME=\"Debian GNU/Linux\"\nID='debian'\nVERSION_ID=13\n\nbroken\n"
    assert os_release(text) == {"NAME": "Debian GNU/Linux", "ID": "debian", "VERSION_ID": "13"}


def test_an_empty_root_is_no_error(tmp_path: Path) -> None:
    facts = look(FakePi(tmp_path))
    assert (facts.board.name, facts.boot_folder, facts.network) == ("PC", None, None)
    assert (facts.memory_mb, facts.cpus, facts.cgroup_version) == (0, 1, 1)


def test_a_revision_that_is_not_four_bytes_is_none(tmp_path: Path) -> None:
    tree = "/sys/firmware/devicetree/base"
    pi = FakePi(tmp_path, {f"{tree}/model": "Raspberry Pi 4 Model B Rev 1.4\0",
                           f"{tree}/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
                           f"{tree}/system/linux,revision": "xx"})  # fmt: skip
    assert board(pi).slug == "pi4b"
