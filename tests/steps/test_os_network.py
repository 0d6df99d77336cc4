"""NetworkManager, Wi-Fi and avahi keep their hands off (pain points 17 and 18)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.steps.files import FileRestored
from kubepi.steps.identity import AVAHI, HostNamed
from kubepi.steps.os_network import (
    AVAHI_CONF,
    UNMANAGED,
    WIFI_AWAKE,
    WIFI_AWAKE_RULE,
    AvahiEverywhere,
    AvahiOnlyOn,
    NetworkManagerIgnores,
    WifiPowerSaveOff,
)
from tests.boards.trees import pi_of
from tests.fakes import Answer, FakePi
from tests.steps.lawful import obeys

RESTART = ("systemctl", "try-restart", AVAHI)


def test_network_manager_ignores_pods(tmp_path: Path) -> None:
    pi = obeys(NetworkManagerIgnores(), lambda root: pi_of("pi4b-trixie", root), tmp_path)
    text = pi.read(UNMANAGED.path) or ""
    # += keeps what netplan and the user have in the list
    assert text.startswith("[keyfile]\nunmanaged-devices+=interface-name:cni0;")
    assert ("systemctl", "try-reload-or-restart", "NetworkManager.service") in pi.ran
    FileRestored(UNMANAGED.path).apply(pi)
    assert not pi.exists("/etc/NetworkManager")


def test_a_reload_that_was_cut_off_is_found(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    NetworkManagerIgnores().apply(pi)
    state.want_restart(pi, "NetworkManager.service")
    assert str(NetworkManagerIgnores().check(pi.read_only())) == "is not in force yet"


def with_radio(root: Path, board: str = "zero2w-trixie", asleep: bool = True) -> FakePi:
    pi = pi_of(board, root)
    pi.put("/proc/radio", "on" if asleep else "off")

    def get(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return 0, f"Power save: {pi.read('/proc/radio')}\n"

    def put_off(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        pi.put("/proc/radio", "off")
        return 0, ""

    pi.looks("iw", "dev", "wlan0", "get", script=get)
    pi.changes("iw", "dev", "wlan0", "set", script=put_off)
    return pi


@pytest.mark.parametrize(("manager", "file"), [(True, WIFI_AWAKE), (False, WIFI_AWAKE_RULE)])
def test_radio_stays_awake(manager: bool, file: object, tmp_path: Path) -> None:
    step = WifiPowerSaveOff("wlan0", manager)
    pi = obeys(step, with_radio, tmp_path)
    assert pi.read("/proc/radio") == "off"
    path = (WIFI_AWAKE if manager else WIFI_AWAKE_RULE).path
    assert pi.exists(path)
    pi.put("/proc/radio", "on")
    assert str(step.check(pi.read_only())) == "is on"


def test_radio_without_iw(tmp_path: Path) -> None:
    pi = with_radio(tmp_path / "pi")
    pi.looks("iw", "dev", "wlan0", "get", script=lambda *_: (127, ""))
    step = WifiPowerSaveOff("wlan0", True)
    step.apply(pi)
    assert step.check(pi.read_only()) is None
    assert pi.ran == []


def test_avahi_only_on_the_lan_and_back(tmp_path: Path) -> None:
    board = "pi3bplus-trixie"  # a node, with bridges of its pods
    facts = look(pi_of(board, tmp_path / "facts"))
    assert facts.lan_interfaces == ("eth0",)
    before = pi_of(board, tmp_path / "before").read(AVAHI_CONF)
    pi = obeys(AvahiOnlyOn(facts.lan_interfaces), lambda root: pi_of(board, root), tmp_path)
    lines = (pi.read(AVAHI_CONF) or "").splitlines()
    assert lines[0] == "[server]"
    assert lines[2] == "allow-interfaces=eth0"
    assert RESTART in pi.ran
    back = AvahiEverywhere()
    assert back.check(pi.read_only()) is not None
    back.apply(pi)
    assert back.check(pi.read_only()) is None
    assert pi.read(AVAHI_CONF) == before


def test_other_interfaces_replace_the_first(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    AvahiOnlyOn(("eth0",)).apply(pi)
    step = AvahiOnlyOn(("eth0", "wlan0"))
    assert step.check(pi.read_only()) is not None
    step.apply(pi)
    assert (pi.read(AVAHI_CONF) or "").count("\nallow-interfaces=eth0,wlan0\n") == 1


@pytest.mark.parametrize(
    ("conf", "line"),
    [
        ("[server]\nallow-interfaces=eth7\n", None),
        ("[server]\n#allow-interfaces=eth0\n", "allow-interfaces=eth0\n"),
        ("[publish]\nx=y\n", "[server]\nallow-interfaces=eth0\n"),
    ],
)
def test_avahi_confs(conf: str, line: str | None, tmp_path: Path) -> None:
    """A line that the user wrote is left alone."""
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    pi.put(AVAHI_CONF, conf)
    step = AvahiOnlyOn(("eth0",))
    assert (step.check(pi.read_only()) is None) == (line is None)
    step.apply(pi)
    assert step.check(pi.read_only()) is None
    text = pi.read(AVAHI_CONF) or ""
    assert text == conf if line is None else line in text
    AvahiEverywhere().apply(pi)
    assert pi.read(AVAHI_CONF) == conf


def test_avahi_learns_a_new_host_name(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    step = AvahiOnlyOn(("eth0",))
    step.apply(pi)
    HostNamed("pi-1").apply(pi)
    assert str(step.check(pi.read_only())) == "is not in force yet"
    step.apply(pi)
    assert pi.ran.count(RESTART) == 2
    assert step.check(pi.read_only()) is None
