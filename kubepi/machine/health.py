"""Health of the machine: power, temperature, clock; may start a program, unlike the facts.

vcgencmd comes first because not every kernel has the firmware's flags in /sys: a Pi 4 with 6.18
had none. Tests: tests/unit/test_health.py.
"""

import re

from kubepi.decide.boards import throttling
from kubepi.decide.facts import Clock, Health
from kubepi.machine.host import Host
from kubepi.machine.kernel import first_line

FLAGS = "/sys/devices/platform/soc/soc:firmware/get_throttled"
HWMON = "/sys/class/hwmon"
THERMAL = "/sys/class/thermal/thermal_zone0/temp"
TIMESYNC = "/run/systemd/timesync"
OTHER_SERVICES = {
    "chrony": "/run/chrony/chronyd.pid",
    "ntpsec": "/run/ntpd.pid",
}


def look_closer(host: Host) -> Health:
    power, source = read_power(host)
    return Health(power, source, read_temperature(host), read_clock(host))


def read_power(host: Host) -> tuple[tuple[str, ...] | None, str]:
    """What is or was wrong with the power supply, and who says so or why nobody does."""
    asked = host.probe(["vcgencmd", "get_throttled"])
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", asked.stdout)
    if found is not None:
        return throttling(int(found[1], 16)), "vcgencmd"
    flags = first_line(host, FLAGS)
    if flags:
        return throttling(int(flags, 16)), FLAGS
    for sensor in host.listdir(HWMON):
        alarm = first_line(host, f"{HWMON}/{sensor}/in0_lcrit_alarm")
        if first_line(host, f"{HWMON}/{sensor}/name") == "rpi_volt" and alarm:
            return (throttling(1) if alarm == "1" else ()), "rpi_volt"
    if asked.code == 127:
        return None, "no vcgencmd and no rpi_volt sensor"
    # /dev/vcio belongs to root and the group video
    return None, "needs root: sudo kubepi detect" if host.uid() != 0 else "vcgencmd failed"


def read_temperature(host: Host) -> float | None:
    """Of the processor, in degrees Celsius; /sys has thousandths."""
    text = first_line(host, THERMAL)
    return int(text) / 1000 if text.lstrip("-").isdigit() else None


def read_clock(host: Host) -> Clock:
    has_rtc = host.exists("/sys/class/rtc/rtc0")
    if host.is_dir(TIMESYNC):
        is_synchronised = host.exists(f"{TIMESYNC}/synchronized")
        return Clock("systemd-timesyncd", is_synchronised, has_rtc)
    service = next((name for name, path in OTHER_SERVICES.items() if host.exists(path)), "none")
    if service == "none":
        return Clock(service, None, has_rtc)
    asked = host.probe(["timedatectl", "show", "--property", "NTPSynchronized", "--value"])
    answer = {"yes": True, "no": False}.get(asked.stdout.strip())
    return Clock(service, answer, has_rtc)
