"""kubepi/agent/led.py: what the activity LED shows, and that it is given back."""

from pathlib import Path

import pytest

from kubepi.agent.led import BEFORE, FOLDERS, Led
from tests.fakes import FakePi

TRIGGERS = "none rc-feedback timer heartbeat [mmc0] default-on\n"


def pi_with(folder: str, root: Path) -> FakePi:
    files = {"trigger": TRIGGERS, "delay_on": "0\n", "delay_off": "0\n"}
    return FakePi(root, {f"{folder}/{name}": text for name, text in files.items()})


def shows(pi: FakePi, folder: str) -> tuple[str | None, ...]:
    return tuple(pi.read(f"{folder}/{name}") for name in ("trigger", "delay_on", "delay_off"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_blinks_by_what_the_node_does_and_is_given_back(folder: str, tmp_path: Path) -> None:
    pi = pi_with(folder, tmp_path)
    led = Led(pi)
    led.show("electing")
    assert shows(pi, folder) == ("timer", "100", "1900")
    led.show("joining")
    assert shows(pi, folder) == ("timer", "250", "250")
    led.show("stop")
    assert shows(pi, folder) == ("timer", "60", "60")
    led.show("ready")
    assert pi.read(f"{folder}/trigger") == "mmc0"
    assert not pi.exists(BEFORE)


def test_an_agent_that_starts_again_still_gives_the_first_one_back(tmp_path: Path) -> None:
    pi = pi_with(FOLDERS[0], tmp_path)
    Led(pi).show("joining")
    pi.put(f"{FOLDERS[0]}/trigger", "none [timer] mmc0\n")
    again = Led(pi)
    again.show("starting")
    again.show("ready")
    assert pi.read(f"{FOLDERS[0]}/trigger") == "mmc0"


def test_one_that_was_never_changed_is_left_alone(tmp_path: Path) -> None:
    pi = pi_with(FOLDERS[0], tmp_path)
    Led(pi).show("ready")
    assert shows(pi, FOLDERS[0]) == (TRIGGERS, "0\n", "0\n")


def test_a_board_without_one_is_fine(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    led = Led(pi)
    led.show("joining")
    assert not led.is_broken
    assert not pi.exists(BEFORE)


def test_a_kernel_that_refuses_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    pi = pi_with(FOLDERS[0], tmp_path)
    pi.path(f"{FOLDERS[0]}/delay_on").unlink()
    pi.path(f"{FOLDERS[0]}/delay_on").mkdir()
    led = Led(pi)
    led.show("joining")
    assert led.is_broken
    led.show("ready")
