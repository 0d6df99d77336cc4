"""Power, temperature and clock, from whatever this machine has to ask."""

from pathlib import Path

import pytest

from kubepi.decide.facts import Clock
from kubepi.machine.health import FLAGS, look_closer, read_clock
from tests.fakes import FakePi

ASK = ("vcgencmd", "get_throttled")
SENSOR = "/sys/class/hwmon/hwmon1"


@pytest.mark.parametrize(
    ("answer", "files", "power", "source"),
    [
        ((0, "throttled=0x0\n"), {}, (), "vcgencmd"),
        ((0, "throttled=0x50000\n"), {},
         ("under-voltage since boot", "throttled since boot"), "vcgencmd"),
        ((127, ""), {FLAGS: "1\n"}, ("under-voltage now",), FLAGS),
        ((127, ""), {f"{SENSOR}/name": "rpi_volt\n", f"{SENSOR}/in0_lcrit_alarm": "1\n"},
         ("under-voltage now",), "rpi_volt"),
        ((127, ""), {f"{SENSOR}/name": "rpi_volt\n", f"{SENSOR}/in0_lcrit_alarm": "0\n"},
         (), "rpi_volt"),
        ((127, ""), {f"{SENSOR}/name": "cpu_thermal\n"},
         None, "no vcgencmd and no rpi_volt sensor"),
        ((255, "Can't open device file: /dev/vcio"), {}, None, "vcgencmd failed"),
    ],
)  # fmt: skip
def test_power(
    tmp_path: Path,
    answer: tuple[int, str],
    files: dict[str, str],
    power: tuple[str, ...] | None,
    source: str,
) -> None:
    pi = FakePi(tmp_path, files)
    pi.looks(*ASK, script=lambda *_: answer)
    health = look_closer(pi)
    assert (health.power, health.power_source) == (power, source)


def test_without_root_it_says_so(tmp_path: Path) -> None:
    class User(FakePi):
        def uid(self) -> int:
            return 1000

    pi = User(tmp_path)
    pi.looks(*ASK, script=lambda *_: (255, "Can't open device file: /dev/vcio"))
    assert look_closer(pi).power_source == "needs root: sudo kubepi detect"


def test_temperature(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/sys/class/thermal/thermal_zone0/temp": "48712\n"})
    pi.looks(*ASK, script=lambda *_: (127, ""))
    assert look_closer(pi).temperature == 48.712


@pytest.mark.parametrize(
    ("files", "clock"),
    [
        ({}, Clock("none", None, False)),
        ({"/run/systemd/timesync/x": ""}, Clock("systemd-timesyncd", False, False)),
        ({"/run/systemd/timesync/synchronized": "", "/sys/class/rtc/rtc0/name": "rpi-rtc"},
         Clock("systemd-timesyncd", True, True)),
        ({"/run/chrony/chronyd.pid": "1\n"}, Clock("chrony", True, False)),
    ],
)  # fmt: skip
def test_clock(tmp_path: Path, files: dict[str, str], clock: Clock) -> None:
    pi = FakePi(tmp_path, files)
    pi.looks("timedatectl", "show", script=lambda *_: (0, "yes\n"))
    assert read_clock(pi) == clock
