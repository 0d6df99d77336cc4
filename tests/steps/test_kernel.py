"""kubepi/steps/kernel.py: modules, kernel settings and a clock that certificates can live with."""

from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, KubepiError, StepFailed
from kubepi.machine import state
from kubepi.steps.files import FileRestored
from kubepi.steps.kernel import KernelModules, Sysctl, TimeSane, can_load, is_loaded
from tests.fakes import FakePi
from tests.scene import fresh_pi
from tests.steps.lawful import obeys

MODULES = KernelModules(("overlay", "br_netfilter"))
SETTINGS = Sysctl((("net.ipv4.ip_forward", "1"), ("net.bridge.bridge-nf-call-iptables", "1")))
SYNCHRONISED = "/run/systemd/timesync/synchronized"
BUILT = 1_795_219_200.0


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


# --- the clock ------------------------------------------------------------------------------


def clock_pi(folder: Path, now: float, *files: str) -> FakePi:
    folder.mkdir(parents=True, exist_ok=True)
    pi = FakePi(folder, dict.fromkeys(files, ""))
    pi.clock.seconds = now
    return pi


@pytest.mark.parametrize(
    ("now", "files", "finding"),
    [
        (BUILT, [SYNCHRONISED], None),
        (BUILT, [], None),
        (BUILT, ["/run/systemd/timesync/clock"], "is not synchronised yet"),
        (BUILT - 1, [], "is before kubepi was made"),
        (BUILT - 1, [SYNCHRONISED], "is before kubepi was made"),
    ],
    ids=["synchronised", "no service that runs", "not yet", "past", "past, synchronised"],
)
def test_what_a_clock_finds(
    tmp_path: Path, now: float, files: list[str], finding: str | None
) -> None:
    found = TimeSane(BUILT).check(clock_pi(tmp_path, now, *files).read_only())
    assert (None if found is None else str(found)) == finding


def test_it_waits_for_the_time_service(tmp_path: Path) -> None:
    pi = clock_pi(tmp_path, 0.0, "/run/systemd/timesync/clock")

    def service() -> None:
        if pi.clock.seconds > 20:
            pi.clock.seconds = BUILT + 5
            pi.put(SYNCHRONISED, "")

    pi.clock.on_sleep.append(service)
    TimeSane(BUILT).apply(pi)
    assert TimeSane(BUILT).check(pi.read_only()) is None
    assert not pi.exists(f"{state.RUN}/clock-accepted")


def test_a_clock_that_is_only_unsynchronised_is_accepted_until_the_next_boot(
    tmp_path: Path,
) -> None:
    """No time server on a network without the internet is no reason to stop."""
    step = TimeSane(BUILT, patience=30)
    pi = obeys(step, lambda root: clock_pi(root, BUILT, "/run/systemd/timesync/clock"), tmp_path)
    assert BUILT + 30 < pi.now() < BUILT + 35
    pi.power_cut()
    pi.put("/run/systemd/timesync/clock", "")
    assert step.check(pi.read_only()) is not None


def test_a_clock_in_the_past_stops_with_a_cure(tmp_path: Path) -> None:
    pi = clock_pi(tmp_path, 0.0)
    with pytest.raises(StepFailed) as caught:
        TimeSane(BUILT).apply(pi)
    assert "the clock is before kubepi was made" in caught.value.sentence
    assert "sudo date -s" in caught.value.hint
    assert isinstance(caught.value, KubepiError)
    assert pi.now() > 90
