"""One line on the Pi's console, for whoever holds a screen to it: said when the state changes.

May touch: /dev/console. Tests: tests/unit/test_console.py.
"""

from dataclasses import dataclass

from kubepi.decide.adverts import Advert
from kubepi.errors import KubepiError
from kubepi.machine.host import Host

CONSOLE = "/dev/console"


def line_of(advert: Advert) -> str:
    """What this Pi is about, in a line."""
    of = f" of {advert.cluster}" if advert.cluster and advert.role != "none" else ""
    role = f", {advert.role}{of}" if advert.role != "none" else ""
    at = f" at {advert.address}" if advert.address else ""
    return f"kubepi: {advert.node} is {advert.state}{role}{at}"


@dataclass
class Console:
    """Remembers what it said; a Pi without a console is none the worse."""

    host: Host
    said: str = ""
    is_broken: bool = False

    def show(self, advert: Advert) -> None:
        line = line_of(advert)
        if line == self.said or self.is_broken or not self.host.exists(CONSOLE):
            return
        self.said = line
        try:
            # a getty may stand in the middle of a line
            self.host.mutter(CONSOLE, f"\r\n{line}\r\n")
        except KubepiError as error:
            self.is_broken = True
            self.host.log.tell(f"agent: the console stays as it is: {error.sentence}")
