"""The looking door to the Pi's files: contents, modes, mounts, room, locks; changes nothing.

Paths are absolute strings as on the Pi; the root is put before them.
Tests: tests/unit/test_host.py.
"""

import fcntl
import os
import stat
import struct
from pathlib import Path

from kubepi.errors import StepFailed


class Files:
    """What is on the disk below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path(name))

    def is_dir(self, name: str) -> bool:
        return self.path(name).is_dir()

    def read_bytes(self, name: str) -> bytes | None:
        """Content, or None where there is no such file."""
        try:
            return self._behind_links(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def read(self, name: str) -> str | None:
        content = self.read_bytes(name)
        return None if content is None else content.decode(errors="replace")

    def link_target(self, name: str) -> str | None:
        path = self.path(name)
        return os.readlink(path) if path.is_symlink() else None

    def mode(self, name: str) -> int | None:
        """Permission bits of a file, of the one behind a link; None where there is none."""
        try:
            return stat.S_IMODE(self._behind_links(name).lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def listdir(self, name: str) -> list[str]:
        """Sorted names in a folder; nothing where there is no folder."""
        try:
            return sorted(entry.name for entry in self.path(name).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def mounts_below(self, name: str) -> list[str]:
        """Mount points in a folder, the deepest first."""
        rows = (line.split() for line in (self.read("/proc/self/mountinfo") or "").splitlines())
        inside = f"{self.path(name)}/"
        return sorted((r[4] for r in rows if len(r) > 4 and r[4].startswith(inside)), reverse=True)

    def refuse_mounts(self, name: str) -> None:
        """What is behind a mount is not ours to remove.

        Raises:
            StepFailed: something is mounted in that folder.
        """
        mounted = self.mounts_below(name)
        if mounted:
            raise StepFailed(
                f"{mounted[0]} is still mounted", "umount it, then run the same command again"
            )

    def free_bytes(self, name: str) -> int:
        """Room on the file system that holds a folder, or the next one above it."""
        disk = self._file_system(name)
        return disk.f_bavail * disk.f_frsize

    def size_bytes(self, name: str) -> int:
        """Of that file system, used or free."""
        disk = self._file_system(name)
        return disk.f_blocks * disk.f_frsize

    def device(self, name: str) -> int:
        """The kernel's number of that file system: equal for two folders on the same one."""
        return self._existing(name).stat().st_dev

    def _file_system(self, name: str) -> os.statvfs_result:
        return os.statvfs(self._existing(name))

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        while not path.exists():
            path = path.parent
        return path

    def file_lock_holder(self, name: str) -> int | None:
        """The process that holds a POSIX lock on a file, as apt and dpkg take them."""
        # struct flock of a 64-bit Linux: type, whence, start, length, pid (fcntl(2))
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            with self.path(name).open("rb") as file:
                answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind, *_, holder = struct.unpack("hhqqi4x", answer)
        return None if kind == fcntl.F_UNLCK else int(holder)

    def _behind_links(self, name: str) -> Path:
        """The file a link leads to, never out of the root; the link itself stays."""
        target = self.path(name)
        for _ in range(8):
            if not target.is_symlink():
                break
            link = os.readlink(target)
            target = self.path(link) if link.startswith("/") else target.parent / link
        return target
