"""kubepi/steps/wifi.py: the profile is root's alone, the radio is on, and nothing is shown."""

import stat
from pathlib import Path

import pytest
import yaml

from kubepi.decide.goal import Secret
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.steps.wifi import NETPLAN, PROFILE, RFKILL, SWITCH, WifiJoined
from tests.fakes import FakePi
from tests.steps.lawful import obeys

KEY = "c0ffee" * 10 + "beef"
OFF = "[main]\nNetworkingEnabled=true\nWirelessEnabled=false\nWWANEnabled=true\n"
RADIO = f"{RFKILL}/platform-3f300000.mmcnr:wlan"
BLUETOOTH = f"{RFKILL}/platform-3f201000.serial:bluetooth"


def fresh(folder: Path) -> FakePi:
    pi = FakePi(folder, {SWITCH: OFF, RADIO: "1\n", BLUETOOTH: "1\n", "/etc/netplan/.keep": ""})
    state.save_secret(pi, Secret("wifi-psk"), KEY)
    pi.fake_disk.make_all_durable()
    return pi


@pytest.mark.parametrize("has_network_manager", [True, False])
def test_the_laws(has_network_manager: bool, tmp_path: Path) -> None:
    obeys(WifiJoined("Attic", "DE", has_network_manager), fresh, tmp_path)


def test_the_radio_is_on_and_bluetooth_is_left_alone(tmp_path: Path) -> None:
    pi = fresh(tmp_path / "pi")
    WifiJoined("Attic", "DE", True).apply(pi)
    assert pi.read(SWITCH) == OFF.replace("WirelessEnabled=false", "WirelessEnabled=true")
    assert (pi.read(RADIO), pi.read(BLUETOOTH)) == ("0\n", "1\n")


def test_the_profile_of_networkmanager(tmp_path: Path) -> None:
    pi = fresh(tmp_path / "pi")
    WifiJoined("a;é", "DE", True).apply(pi)
    text = pi.read(PROFILE) or ""
    assert "ssid=97;59;195;169;\n" in text
    assert f"psk={KEY}\n" in text
    assert stat.S_IMODE(pi.path(PROFILE).stat().st_mode) == 0o600


def test_the_profile_of_netplan(tmp_path: Path) -> None:
    pi = fresh(tmp_path / "pi")
    WifiJoined("Attic", "DE", False).apply(pi)
    network = yaml.safe_load(pi.read(NETPLAN) or "")["network"]
    points = {"access-points": {"Attic": {"password": KEY}}}
    about = {"dhcp4": True, "optional": True, "regulatory-domain": "DE"}
    assert network == {"version": 2, "wifis": {"wlan0": about | points}}
    assert not pi.exists(PROFILE)


def test_the_key_is_in_no_step_and_in_no_finding(tmp_path: Path) -> None:
    pi = fresh(tmp_path / "pi")
    step = WifiJoined("Attic", "DE", True)
    assert "c0ffee" not in f"{step!r} {step.name} {step.check(pi)}"


def test_without_its_key_nothing_is_written(tmp_path: Path) -> None:
    pi = fresh(tmp_path / "pi")
    pi.remove(state.secret_file(Secret("wifi-psk")))
    with pytest.raises(StepFailed, match="wifi-psk"):
        WifiJoined("Attic", "DE", True).apply(pi)
    assert not pi.exists(PROFILE)
