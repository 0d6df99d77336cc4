"""kubepi/steps/os_services.py: files for units of the OS and for kubelet, read at once."""

import json
from pathlib import Path

import pytest

from kubepi.decide.kubeadm_config import SHUTDOWN_SECONDS
from kubepi.decide.room import GB
from kubepi.machine import state
from kubepi.machine.step import Finding
from kubepi.steps.os_services import KUBELET_FILE, FileRead, KubeletRoom, os_services
from tests.fakes import FakePi
from tests.scene import fresh_pi, init_goal
from tests.steps.lawful import obeys

LOGIND, JOURNALD = os_services()
ROOM = KubeletRoom(init_goal())
DEMO = FileRead("/etc/demo.conf", "a = 1\n", "demo.service", ("try-restart",))


def with_units(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    for unit in (LOGIND.unit, JOURNALD.unit, "kubelet.service", DEMO.unit):
        pi.put(f"/usr/lib/systemd/system/{unit}", "[Service]\n")
        pi.running.add(unit)
    return pi


@pytest.mark.parametrize("step", [LOGIND, JOURNALD, DEMO], ids=lambda step: step.unit)
def test_the_laws(step: FileRead, tmp_path: Path) -> None:
    pi = obeys(step, with_units, tmp_path)
    assert pi.read(step.path) == step.content
    assert pi.ran[0] == ("systemctl", *step.how, step.unit)


def test_the_laws_of_kubelets_thresholds(tmp_path: Path) -> None:
    pi = obeys(ROOM, with_units, tmp_path)
    assert pi.ran[0] == ("systemctl", "restart", "kubelet.service")


def test_who_was_not_told_yet_is_told_by_the_next_run(tmp_path: Path) -> None:
    """The command was stopped between the file and the unit."""
    pi = with_units(tmp_path / "pi")
    pi.put(DEMO.path, DEMO.content)
    assert DEMO.check(pi) is None
    state.want_restart(pi, DEMO.unit)
    assert DEMO.check(pi) == Finding("is not read by demo.service yet")
    DEMO.apply(pi)
    assert DEMO.check(pi) is None


def test_what_does_not_run_is_not_started(tmp_path: Path) -> None:
    """A machine without logind; kubelet before kubeadm has configured it."""
    pi = fresh_pi(tmp_path / "pi")
    for step in (LOGIND, ROOM):
        step.apply(pi)
        assert step.check(pi) is None
    assert pi.ran == []


def test_logind_waits_as_long_as_kubelet_needs() -> None:
    assert f"InhibitDelayMaxSec={SHUTDOWN_SECONDS + 5}\n" in LOGIND.content
    assert Path(LOGIND.path).name > "unattended-upgrades-logind-maxdelay.conf", "Ubuntu's: 30 s"


def test_a_larger_card_gets_other_thresholds(tmp_path: Path) -> None:
    pi = with_units(tmp_path / "pi")
    pi.size = 16 * GB
    ROOM.apply(pi)
    small = json.loads(pi.read(KUBELET_FILE) or "")
    pi.size = 256 * GB
    assert ROOM.check(pi) == Finding("has other content")
    ROOM.apply(pi)
    large = json.loads(pi.read(KUBELET_FILE) or "")
    assert small["imageGCHighThresholdPercent"] < large["imageGCHighThresholdPercent"]
