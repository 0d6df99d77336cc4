"""The activity LED of a Pi without a screen: how it blinks says what its kubepi does.

By the rate of the kernel's trigger `timer`, never by on or off: the brightness was inverted on a
Pi 5 with 6.12.20. Without such an LED nothing happens.
May touch: that LED below /sys/class/leds, /run/kubepi/led. Tests: tests/unit/test_led.py.
"""

import re
from dataclasses import dataclass

from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host

# the second name is that of kernels before 6.1
FOLDERS = ("/sys/class/leds/ACT", "/sys/class/leds/led0")
BEFORE = f"{state.RUN}/led"
# milliseconds on and off
WAITS, WORKS, STOPPED = (100, 1900), (250, 250), (60, 60)
PATTERNS = {
    "electing": WAITS, "joining": WORKS, "starting": WORKS, "leaving": WORKS, "stop": STOPPED
}  # fmt: skip


@dataclass
class Led:
    """Remembers what it shows, and in /run what the LED showed before kubepi."""

    host: Host
    shown: str = ""
    is_broken: bool = False

    def show(self, word: str) -> None:
        """`word` is the state of the advert, or "stop"; any other gives the LED back."""
        if word == self.shown or self.is_broken:
            return
        self.shown = word
        try:
            self._set(PATTERNS.get(word))
        except KubepiError as error:
            self.is_broken = True
            self.host.log.tell(f"agent: the LED stays as it is: {error.sentence}")

    def _set(self, pattern: tuple[int, int] | None) -> None:
        folder = next((name for name in FOLDERS if self.host.exists(f"{name}/trigger")), None)
        if folder is None:
            return
        before = (self.host.read(BEFORE) or "").strip()
        if pattern is None:
            if before:
                self.host.tune(f"{folder}/trigger", before)
                self.host.remove(BEFORE)
            return
        if not before:
            # all triggers in one line, the one in force in brackets
            found = re.search(r"\[(\S+)\]", self.host.read(f"{folder}/trigger") or "")
            self.host.write(BEFORE, f"{found[1] if found else 'none'}\n")
        self.host.tune(f"{folder}/trigger", "timer")
        for name, milliseconds in zip(("delay_on", "delay_off"), pattern, strict=True):
            self.host.tune(f"{folder}/{name}", str(milliseconds))
