"""kubepi/steps/kernel.py: modules and kernel settings, now and at the next boot."""

from pathlib import Path

import pytest

from kubepi.errors import CommandFailed
from kubepi.steps.files import FileRestored
from kubepi.steps.kernel import KernelModules, Sysctl, can_load, is_loaded
from tests.fakes import FakePi
from tests.scene import fresh_pi
from tests.steps.lawful import obeys

MODULES = KernelModules(("overlay", "br_netfilter"))
SETTINGS = Sysctl((("net.ipv4.ip_forward", "1"), ("net.bridge.bridge-nf-call-iptables", "1")))


def bare(folder: Path) -> FakePi:
    """A kernel that has neither module, loaded or built in."""
    pi = fresh_pi(folder)
    pi.put("/proc/filesystems", "nodev\tsysfs\n\text4\n")
    pi.path("/proc/sys/net/bridge").rename(pi.path("/proc/sys/net/unbridged"))
    pi.fake_disk.make_all_durable()
    return pi


# --- modules --------------------------------------------------------------------------------


def test_modules_obey_the_laws_and_are_named_for_the_next_boot(tmp_path: Path) -> None:
    pi = obeys(MODULES, bare, tmp_path)
    assert pi.read(MODULES.path) == "overlay\nbr_netfilter\n"
    assert [argv for argv in pi.ran if argv[0] == "modprobe"] == [
        ("modprobe", "overlay"),
        ("modprobe", "br_netfilter"),
    ]
    FileRestored(MODULES.path).apply(pi)
    assert not pi.exists(MODULES.path)


@pytest.mark.parametrize(
    ("files", "module", "loaded"),
    [
        ({}, "overlay", False),
        ({"/sys/module/overlay/refcnt": "0"}, "overlay", True),
        ({"/proc/filesystems": "nodev\toverlay\n"}, "overlay", True),
        ({"/proc/filesystems": "nodev\toverlayfs2\n"}, "overlay", False),
        ({"/proc/sys/net/bridge/bridge-nf-call-iptables": "1"}, "br_netfilter", True),
        ({"/proc/filesystems": "nodev\tvxlan\n"}, "vxlan", False),
        ({"/sys/module/vxlan/refcnt": "0"}, "vxlan", True),
    ],
)
def test_a_module_may_be_built_in(
    tmp_path: Path, files: dict[str, str], module: str, loaded: bool
) -> None:
    assert is_loaded(FakePi(tmp_path, files), module) is loaded


@pytest.mark.parametrize(
    ("files", "code", "can"),
    [
        ({"/proc/modules": ""}, 0, True),
        ({"/proc/modules": ""}, 1, False),
        ({"/proc/modules": "", "/sys/module/vxlan/refcnt": "0"}, 1, True),
        ({}, 1, True),
    ],
    ids=["can", "cannot", "is loaded", "kernel without modules"],
)
def test_whether_a_module_can_be_loaded(
    tmp_path: Path, files: dict[str, str], code: int, can: bool
) -> None:
    pi = FakePi(tmp_path, files)
    pi.looks("modprobe", "--dry-run", "vxlan", script=lambda *_: (code, ""))
    assert can_load(pi, "vxlan") is can
    assert pi.ran == []


def test_a_module_that_cannot_be_loaded_is_a_failure_with_its_command(tmp_path: Path) -> None:
    pi = bare(tmp_path / "pi")
    pi.changes("modprobe", script=lambda *_: (1, "FATAL: Module overlay not found"))
    assert str(MODULES.check(pi.read_only())) == "not loaded: overlay br_netfilter"
    with pytest.raises(CommandFailed, match="Module overlay not found"):
        MODULES.apply(pi)


# --- settings -------------------------------------------------------------------------------


def test_settings_obey_the_laws(tmp_path: Path) -> None:
    pi = obeys(SETTINGS, fresh_pi, tmp_path)
    assert pi.read(SETTINGS.path) == (
        "net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n"
    )
    assert (pi.read("/proc/sys/net/ipv4/ip_forward") or "").strip() == "1"


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ("0\n", "net.ipv4.ip_forward is 0, wanted 1"),
        (None, "net.ipv4.ip_forward is missing, wanted 1"),
        ("1\n", None),
    ],
)
def test_the_running_kernel_counts_before_the_file(
    tmp_path: Path, value: str | None, finding: str | None
) -> None:
    pi = fresh_pi(tmp_path / "pi")
    SETTINGS.apply(pi)
    pi.path("/proc/sys/net/ipv4/ip_forward").unlink()
    if value is not None:
        pi.put("/proc/sys/net/ipv4/ip_forward", value)
    found = SETTINGS.check(pi.read_only())
    assert (None if found is None else str(found)) == finding


def test_a_value_that_holds_only_until_the_boot_is_not_enough(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    for key, value in SETTINGS.values:
        pi.put("/proc/sys/" + key.replace(".", "/"), f"{value}\n")
    assert str(SETTINGS.check(pi.read_only())) == "is missing"
