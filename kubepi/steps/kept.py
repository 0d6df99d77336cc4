"""All files that kubepi touched and keeps a copy of, as they were; kubepi's own go last.

May touch: every file with a kept copy. Tests: tests/laws.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import FileRestored
from kubepi.steps.install import AGENT, FILE, LAUNCHER, RESUME, UNITS

LAST = (FILE, LAUNCHER, f"{UNITS}/{AGENT}", f"{UNITS}/{RESUME}")


@dataclass(frozen=True)
class KeptRestored:
    """No kept copy is left but those of kubepi's own files."""

    @property
    def name(self) -> str:
        return "files as before"

    def _names(self, host: Host) -> list[str]:
        names = [unquote(entry) for entry in host.listdir(state.KEPT)]
        return [name for name in names if name.startswith("/") and name not in LAST]

    def check(self, host: Host) -> Finding | None:
        names = self._names(host)
        return Finding(f"{len(names)} of kubepi's are there") if names else None

    def apply(self, host: Host) -> None:
        for name in self._names(host):
            FileRestored(name).apply(host)
