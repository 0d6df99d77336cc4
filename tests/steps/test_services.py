"""kubepi/steps/services.py: units enabled, running with the newest files, and gone again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, NotYet
from kubepi.machine import state
from kubepi.machine.step import Step
from kubepi.steps.services import ServiceEnabled, ServiceGone, ServiceRunning, unit_state
from tests.fakes import Answer, FakePi
from tests.programs import WANTS
from tests.scene import fresh_pi
from tests.steps.lawful import obeys

UNIT = "demo.service"
FILE = f"/etc/systemd/system/{UNIT}"
ENABLED, RUNNING, GONE = ServiceEnabled(UNIT), ServiceRunning(UNIT), ServiceGone(UNIT)


def with_unit(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    pi.put(FILE, "[Service]\n")
    return pi


def running(folder: Path) -> FakePi:
    pi = with_unit(folder)
    RUNNING.apply(pi)
    pi.fake_disk.make_all_durable()
    return pi


def test_enabled_obeys_the_laws_and_starts_nothing(tmp_path: Path) -> None:
    pi = obeys(ENABLED, with_unit, tmp_path)
    assert pi.link_target(f"{WANTS}/{UNIT}") == FILE
    assert UNIT not in pi.running


def test_running_obeys_the_laws(tmp_path: Path) -> None:
    pi = obeys(RUNNING, with_unit, tmp_path)
    assert UNIT in pi.running
    assert pi.exists(f"{WANTS}/{UNIT}")
    assert pi.ran[0] == ("systemctl", "daemon-reload"), "else systemd starts what it read before"


def test_gone_obeys_the_laws(tmp_path: Path) -> None:
    def still_there(folder: Path) -> FakePi:
        pi = running(folder)
        assert UNIT in pi.running
        return pi

    pi = obeys(GONE, still_there, tmp_path)
    assert UNIT not in pi.running
    assert not pi.exists(f"{WANTS}/{UNIT}")
    assert pi.exists(FILE), "its file is another step's"


def test_newer_files_restart_it_once(tmp_path: Path) -> None:
    pi = running(tmp_path / "pi")
    assert RUNNING.check(pi.read_only()) is None
    state.want_restart(pi, UNIT)
    assert str(RUNNING.check(pi.read_only())) == "runs with older files"
    assert ENABLED.check(pi.read_only()) is None
    RUNNING.apply(pi)
    assert RUNNING.check(pi.read_only()) is None


def test_the_wish_for_a_restart_stays_until_it_happened(tmp_path: Path) -> None:
    pi = running(tmp_path / "pi")
    state.want_restart(pi, UNIT)
    pi.changes("systemctl", "restart", script=lambda *_: (1, "Job failed"))
    with pytest.raises(CommandFailed, match="systemctl failed with code 1"):
        RUNNING.apply(pi)
    assert str(RUNNING.check(pi.read_only())) == "runs with older files"


@pytest.mark.parametrize("step", [ENABLED, RUNNING])
def test_a_unit_whose_package_is_still_to_come_is_not_yet_there(
    step: Step, tmp_path: Path
) -> None:
    with pytest.raises(NotYet, match=UNIT):
        step.check(fresh_pi(tmp_path / "pi").read_only())


def test_a_unit_that_never_was_is_gone(tmp_path: Path) -> None:
    assert GONE.check(fresh_pi(tmp_path / "pi").read_only()) is None


@pytest.mark.parametrize("step", [ENABLED, RUNNING, GONE])
def test_without_systemd_nothing_can_be_said(step: Step, tmp_path: Path) -> None:
    pi = with_unit(tmp_path / "pi")
    pi.looks("systemctl", "show", script=lambda *_: (127, "systemctl: not found"))
    with pytest.raises(NotYet, match="systemd"):
        step.check(pi.read_only())


def says(pi: FakePi, unit_file: str, active: str) -> None:
    def show(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return 0, f"LoadState=loaded\nUnitFileState={unit_file}\nActiveState={active}\n"

    pi.looks("systemctl", "show", script=show)


@pytest.mark.parametrize(
    ("unit_file", "active", "enabled", "runs", "gone"),
    [
        ("enabled", "active", None, None, "is running"),
        ("enabled", "inactive", None, "is inactive", "is enabled"),
        ("enabled", "failed", None, "is failed", "is enabled"),
        ("enabled", "activating", None, "is activating", "is running"),
        ("disabled", "active", "is disabled", "is disabled", "is running"),
        ("disabled", "inactive", "is disabled", "is disabled", None),
        ("disabled", "failed", "is disabled", "is disabled", None),
        ("disabled", "deactivating", "is disabled", "is disabled", "is running"),
        ("masked", "inactive", "is masked", "is masked", None),
        ("", "inactive", "is not enabled", "is not enabled", None),
    ],
)
def test_what_each_state_of_a_unit_means(
    tmp_path: Path, unit_file: str, active: str, enabled: str | None, runs: str | None,
    gone: str | None,
) -> None:  # fmt: skip
    pi = FakePi(tmp_path)
    says(pi, unit_file, active)
    assert unit_state(pi, UNIT)["ActiveState"] == active
    for step, wanted in ((ENABLED, enabled), (RUNNING, runs), (GONE, gone)):
        found = step.check(pi.read_only())
        assert (None if found is None else str(found)) == wanted, step
