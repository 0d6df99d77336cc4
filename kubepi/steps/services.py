"""systemd units: enabled, running, restarted when their files changed, and the opposite.

May touch: the state of the unit and its links below /etc/systemd/system.
Tests: tests/steps/test_services.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.errors import NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

KUBELET = "kubelet.service"


def unit_state(host: Host, unit: str) -> dict[str, str]:
    """LoadState, UnitFileState and ActiveState of a unit, as systemd names them."""
    result = host.probe(
        ["systemctl", "show", "-p", "LoadState,UnitFileState,ActiveState,NeedDaemonReload", unit]
    )
    if not result.ok:
        raise NotYet("systemd")
    pairs = (line.partition("=") for line in result.stdout.splitlines())
    return {key: value for key, _, value in pairs}


def is_active(host: Host, unit: str) -> bool:
    return unit_state(host, unit).get("ActiveState") == "active"


def runs_or_starts(host: Host, unit: str) -> bool:
    """One that ends and is started again and again, too."""
    return unit_state(host, unit).get("ActiveState") in ("active", "activating")


def not_enabled(unit: str, found: dict[str, str]) -> Finding | None:
    if found.get("LoadState") == "not-found":
        raise NotYet(f"the unit {unit}")
    if found.get("UnitFileState") != "enabled":
        return Finding(f"is {found.get('UnitFileState') or 'not enabled'}")
    return None


@dataclass(frozen=True)
class ServiceEnabled:
    """A unit that starts at boot, started by somebody else now (kubeadm starts kubelet)."""

    unit: str

    @property
    def name(self) -> str:
        return f"service {self.unit} enabled"

    def check(self, host: Host) -> Finding | None:
        return not_enabled(self.unit, unit_state(host, self.unit))

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "enable", self.unit])


@dataclass(frozen=True)
class ServiceRunning:
    """A unit that starts at boot and runs now, with the newest of its files."""

    unit: str

    @property
    def name(self) -> str:
        return f"service {self.unit}"

    def check(self, host: Host) -> Finding | None:
        found = unit_state(host, self.unit)
        finding = not_enabled(self.unit, found)
        if finding is not None:
            return finding
        if found.get("ActiveState") != "active":
            return Finding(f"is {found.get('ActiveState')}")
        if host.exists(state.restart_flag(self.unit)):
            return Finding("runs with older files")
        return None

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "enable", self.unit])
        host.run(["systemctl", "restart", self.unit])
        host.remove(state.restart_flag(self.unit))


@dataclass(frozen=True)
class ServiceGone:
    """A unit of kubepi's own: stopped, off at boot, before its file is removed."""

    unit: str

    @property
    def name(self) -> str:
        return f"service {self.unit} stopped"

    def check(self, host: Host) -> Finding | None:
        found = unit_state(host, self.unit)
        if found.get("ActiveState") in ("active", "activating", "reloading", "deactivating"):
            return Finding("is running")
        if found.get("UnitFileState") == "enabled":
            return Finding("is enabled")
        return None

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "disable", "--now", self.unit])
