"""A disk with a file system of its own, and folders that nothing can be written into.

May touch: an empty disk that the config names; the immutable flag of a folder.
Tests: tests/steps/test_disks.py.
"""

from dataclasses import dataclass

from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.disks import UNNAMED, content_of_disk, holding, is_mounted
from kubepi.machine.host import Host
from kubepi.machine.step import Finding


@dataclass(frozen=True)
class DiskFormatted:
    """ext4 of that label on a disk that was empty; whatever else is on it is left alone."""

    disk: str
    label: str

    @property
    def name(self) -> str:
        return f"disk {self.disk}"

    @property
    def _attempt(self) -> str:
        return f"format-{self.label}"

    def check(self, host: Host) -> Finding | None:
        content = content_of_disk(host, self.disk)
        if not content:
            return Finding("is empty")
        kind, label = content.get("TYPE"), content.get("LABEL")
        is_begun = kind == UNNAMED or (kind == "ext4" and label in (None, self.label))
        if is_begun and self._was_interrupted(host):
            return Finding("is half formatted")
        if kind == "ext4" and label == self.label:
            return None
        raise StepFailed(*holding(self.disk, content))

    def apply(self, host: Host) -> None:
        if self.check(host) is None:
            return
        # the disk is named: what an interrupted mkfs left is told from a disk with data
        state.begin_attempt(host, self._attempt, self.disk)
        try:
            host.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-L", self.label, self.disk])
            host.sync()
        finally:  # only a power cut leaves the mark
            state.end_attempt(host, self._attempt)

    def _was_interrupted(self, host: Host) -> bool:
        return (host.read(state.attempt_file(self._attempt)) or "").strip() == self.disk


@dataclass(frozen=True)
class FolderShut:
    """A mount point into which nobody can write while nothing is mounted there."""

    path: str

    @property
    def name(self) -> str:
        return f"folder {self.path} shut"

    def check(self, host: Host) -> Finding | None:
        if is_mounted(host, self.path):
            return None
        if not host.exists(self.path):
            return Finding("is missing")
        flags = flags_of(host, self.path)
        return None if flags is None or "i" in flags else Finding("can be written to")

    def apply(self, host: Host) -> None:
        host.mkdir(self.path)
        if flags_of(host, self.path) is not None:
            host.run(["chattr", "+i", str(host.path(self.path))])


@dataclass(frozen=True)
class FolderOpened:
    """The opposite: can be written to, and is gone where nothing is in it."""

    path: str

    @property
    def name(self) -> str:
        return f"folder {self.path} as before"

    def check(self, host: Host) -> Finding | None:
        if is_mounted(host, self.path) or not host.exists(self.path):
            return None
        flags = flags_of(host, self.path)
        if flags is not None and "i" in flags:
            return Finding("is shut")
        return None if host.listdir(self.path) else Finding("is empty")

    def apply(self, host: Host) -> None:
        flags = flags_of(host, self.path)
        if flags is not None and "i" in flags:
            host.run(["chattr", "-i", str(host.path(self.path))])
        host.remove_empty(self.path)


def flags_of(host: Host, path: str) -> str | None:
    """The letters of lsattr(1); None where the file system has none, as that of a container."""
    result = host.probe(["lsattr", "-d", str(host.path(path))])
    return result.stdout.split()[0] if result.ok and result.stdout.split() else None
