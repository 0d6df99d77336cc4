"""What `kubepi detect` prints, on boards from tests/boards."""

import argparse
import json
import shutil
from pathlib import Path

import pytest

from kubepi.commands import detect
from tests.fakes import FakePi

BOARDS = Path(__file__).parents[1] / "boards"
TABLE = """\
board       Raspberry Pi 5 Model B Rev 1.0, serial 8c5ff0a1b2c3d4e5
processor   BCM2712, 4 cores
memory      8062 MB of 8192 MB
system      Raspberry Pi OS, Debian GNU/Linux 12 (bookworm)
            64-bit (arm64)
kernel      6.12.25+rpt-rpi-2712, 64-bit, 16 KiB pages (some images need kernel=kernel8.img in config.txt)
boot        /boot/firmware
cgroups     v2, memory controller off (init and join turn it on)
disk        SD card, mmcblk0, SR128
swap        dphys-swapfile
network     eth0 10.0.0.5: has the default route, to 10.0.0.1
            eth0 (wired) 10.0.0.5/24 2c:cf:67:0a:0b:0c
            wlan0 (wireless) no address 2c:cf:67:0a:0b:0d
clock       no time service, no battery clock
power       under-voltage since boot
kubernetes  none
"""  # noqa: E501 - as it is printed


def a_pi(tmp_path: Path, board: str) -> FakePi:
    shutil.copytree(BOARDS / board / "root", tmp_path / "root", symlinks=True)
    pi = FakePi(tmp_path / "root")
    pi.looks("vcgencmd", "get_throttled", script=lambda *_: (0, "throttled=0x10000\n"))
    return pi


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pi = a_pi(tmp_path, "pi5-bookworm")
    assert detect.run(argparse.Namespace(json=False), pi.read_only()) == 0
    assert capsys.readouterr().out == TABLE


@pytest.mark.parametrize("board", ["pc-debian", "zero2w-trixie", "pi4b-32bit-userland"])
def test_json_has_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], board: str
) -> None:
    parser = argparse.ArgumentParser()
    detect.add_arguments(parser)
    assert detect.run(parser.parse_args(["--json"]), a_pi(tmp_path, board).read_only()) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["board"]["name"]
    assert told["health"]["power"] == ["under-voltage since boot"]
    assert told["network"]["reason"]
