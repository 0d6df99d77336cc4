"""Mounts that no boot waits for, the folder that is served, and the ends of both.

May touch: mount and automount units, their mounts, the folder, kubepi's file of exports.
Tests: tests/steps/test_share.py.
"""

from dataclasses import dataclass, field

from kubepi.decide.mounts import UNITS, disk_mount, unit_name
from kubepi.errors import StepFailed
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step
from kubepi.steps.apt import added
from kubepi.steps.disks import DiskFormatted, FolderShut
from kubepi.steps.files import File, FileRestored
from kubepi.steps.parts import first_finding, make_right
from kubepi.steps.services import ServiceRunning, unit_state

EXPORTS = "/etc/exports.d/kubepi.exports"


@dataclass(frozen=True)
class FolderMade:
    """The folder that is served; with what is in it already."""

    path: str

    @property
    def name(self) -> str:
        return f"folder {self.path}"

    def check(self, host: Host) -> Finding | None:
        if host.is_dir(self.path):
            return None
        if host.exists(self.path):
            raise StepFailed(f"{self.path} is a file", "move it away, or name another folder")
        return Finding("is missing")

    def apply(self, host: Host) -> None:
        host.mkdir(self.path)


@dataclass(frozen=True)
class Automount:
    """A mount unit and its automount, as wanted and at work."""

    where: str
    mount: str = field(repr=False)
    automount: str = field(repr=False)

    @property
    def name(self) -> str:
        return f"automount {self.where}"

    @property
    def _units(self) -> tuple[str, str]:
        return unit_name(self.where, "mount"), unit_name(self.where, "automount")

    def _files(self) -> list[File]:
        mount, automount = self._units
        # both restart with the automount: what is mounted is of the old file
        return [
            File(f"{UNITS}/{mount}", self.mount, restarts=(automount,)),
            File(f"{UNITS}/{automount}", self.automount, restarts=(automount,)),
        ]

    def check(self, host: Host) -> Finding | None:
        finding = first_finding(self._files(), host)
        return finding or ServiceRunning(self._units[1]).check(host)

    def apply(self, host: Host) -> None:
        make_right(self._files(), host)
        mount, automount = self._units
        if unit_state(host, mount).get("LoadState") == "loaded":
            host.run(["systemctl", "stop", automount, mount])
        ServiceRunning(automount).apply(host)


@dataclass(frozen=True)
class MountEnded:
    """No mount or automount of kubepi's at this place, and no unit of it."""

    where: str

    @property
    def name(self) -> str:
        return f"no mount {self.where}"

    def check(self, host: Host) -> Finding | None:
        return first_finding(self._files(), host)

    def apply(self, host: Host) -> None:
        for unit in self._units():
            if unit_state(host, unit).get("LoadState") != "not-found":
                host.run(["systemctl", "disable", "--now", unit])
        host.sync()  # a link to a unit that is gone would outlive a cut
        make_right(self._files(), host)
        host.run(["systemctl", "daemon-reload"])

    def _units(self) -> list[str]:
        return [unit_name(self.where, kind) for kind in ("automount", "mount")]

    def _files(self) -> list[FileRestored]:
        return [FileRestored(f"{UNITS}/{unit}") for unit in self._units()]


@dataclass(frozen=True)
class UnitsMasked:
    """Off, and not to be started by any other: what a package of kubepi's brought and nobody needs.

    Where `package` was there before kubepi, somebody may need them.
    """

    units: tuple[str, ...]
    package: str

    @property
    def name(self) -> str:
        return f"no {' '.join(self.units)}"

    def check(self, host: Host) -> Finding | None:
        if self.package not in added(host):
            return None
        loose = [unit for unit in self.units if host.link_target(f"{UNITS}/{unit}") != "/dev/null"]
        return Finding(f"{loose[0]} can start") if loose else None

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "mask", "--now", *self.units])


@dataclass(frozen=True)
class UnitsUnmasked:
    """The opposite; they start at the next boot again, where their package is still there."""

    units: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{' '.join(self.units)} as before"

    def check(self, host: Host) -> Finding | None:
        masked = [unit for unit in self.units if host.link_target(f"{UNITS}/{unit}") == "/dev/null"]
        return Finding(f"{masked[0]} is masked") if masked else None

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "unmask", *self.units])
        host.sync()


@dataclass(frozen=True)
class ExportsEnded:
    """This node serves nothing of kubepi's any more; what was served stays where it is."""

    @property
    def name(self) -> str:
        return "no exports"

    def check(self, host: Host) -> Finding | None:
        return FileRestored(EXPORTS).check(host)

    def apply(self, host: Host) -> None:
        FileRestored(EXPORTS).apply(host)
        host.run(["exportfs", "-r"])
        host.run(["exportfs", "-f"])  # the kernel lets go of a disk that was served


def disk_parts(disk: str, label: str, path: str, needed_by: tuple[str, ...]) -> list[Step]:
    """A disk of its own at `path`; the folder under it stays empty where the disk is missing."""
    return [
        DiskFormatted(disk, label),
        FolderShut(path),
        *mount_parts(path, disk_mount(disk, path, needed_by)),
    ]


def mount_parts(path: str, text: str) -> list[Step]:
    """A mount unit, at work."""
    unit = unit_name(path, "mount")
    return [File(f"{UNITS}/{unit}", text, restarts=(unit,)), ServiceRunning(unit)]
