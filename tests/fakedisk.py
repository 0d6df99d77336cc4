"""A disk that counts effects, dies at one of them, and forgets what was not synced.

Names are durable after an fsync of their folder, content after an fsync of the file; the rest of
a file that was not synced is empty after a power cut, as on ext4.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

from kubepi.machine.disk import Disk


class PowerCut(BaseException):
    """The plug was pulled; not an Exception, so that nothing in the product catches it."""


class Entry(NamedTuple):
    """One name in a folder as the disk has it."""

    kind: str  # file, folder, link
    inode: int
    mode: int
    target: str = ""


class FakeDisk(Disk):
    """Counts effects, dies at one of them, and remembers what is durable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.effects = 0
        self.die_at: int | None = None
        self.trail: list[str] = []
        self._data: dict[int, bytes] = {}
        self._names: dict[str, dict[str, Entry]] = {}
        self._stamps: dict[int, tuple[int, int]] = {}

    def effect(self, what: str) -> None:
        """One thing a power cut can fall in front of."""
        self.effects += 1
        self.trail.append(what)
        if self.die_at is not None and self.effects >= self.die_at:
            raise PowerCut(what)

    # --- the effects, counted -------------------------------------------------------------

    def create(self, path: Path, data: bytes, mode: int) -> None:
        self.effect(f"create {path}")
        super().create(path, data, mode)

    def fsync(self, path: Path) -> None:
        self.effect(f"fsync {path}")
        self.make_durable(path)

    def rename(self, old: Path, new: Path) -> None:
        self.effect(f"rename {new}")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self.effect(f"unlink {path}")
        super().unlink(path)

    def mkdir(self, path: Path, mode: int) -> None:
        self.effect(f"mkdir {path}")
        super().mkdir(path, mode)

    def rmtree(self, path: Path) -> None:
        self.effect(f"rmtree {path}")
        super().rmtree(path)

    def rmdir(self, path: Path) -> None:
        self.effect(f"rmdir {path}")
        super().rmdir(path)

    def symlink(self, path: Path, target: str) -> None:
        self.effect(f"symlink {path}")
        super().symlink(path, target)

    def chmod(self, path: Path, mode: int) -> None:
        self.effect(f"chmod {path}")
        super().chmod(path, mode)

    def chown(self, path: Path, uid: int, gid: int) -> None:
        self.effect(f"chown {path}")

    def sync(self) -> None:
        self.effect("sync")
        self.make_all_durable()

    # --- durability -----------------------------------------------------------------------

    def make_all_durable(self) -> None:
        self._names = {}
        self._sync_below(str(self.root))

    def _sync_below(self, folder: str) -> None:
        """All that is there; content that has the time and size of before is not read again."""
        names = self._names[folder] = {}
        for found in os.scandir(folder):
            status = found.stat(follow_symlinks=False)
            entry = names[found.name] = _entry(found.path, status)
            if entry.kind == "folder":
                self._sync_below(found.path)
            elif entry.kind == "file":
                stamp = (status.st_mtime_ns, status.st_size)
                if self._stamps.get(entry.inode) != stamp:
                    self._stamps[entry.inode] = stamp
                    self._data[entry.inode] = Path(found.path).read_bytes()

    def make_durable(self, path: Path) -> None:
        """Names of a folder, or content of a file, and nothing else."""
        if path.is_dir():
            self._names[str(path)] = {
                found.name: _entry(found.path, found.stat(follow_symlinks=False))
                for found in os.scandir(path)
            }
        else:
            self._data[path.stat().st_ino] = path.read_bytes()

    def lose_the_rest(self) -> None:
        """The tree as a disk shows it after a power cut: unsynced content is empty."""
        names, data = self._names, self._data
        shutil.rmtree(self.root)
        self.root.mkdir()
        self._names, self._data, self._stamps = {}, {}, {}
        self._restore(self.root, names, data)
        self.make_all_durable()

    def _restore(
        self, folder: Path, names: dict[str, dict[str, Entry]], data: dict[int, bytes]
    ) -> None:
        for name, entry in names.get(str(folder), {}).items():
            path = folder / name
            if entry.kind == "folder":
                path.mkdir()
                path.chmod(entry.mode)
                self._restore(path, names, data)
            elif entry.kind == "link":
                path.symlink_to(entry.target)
            else:
                path.write_bytes(data.get(entry.inode, b""))
                path.chmod(entry.mode)


def _entry(path: str, status: os.stat_result) -> Entry:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISREG(status.st_mode):
        return Entry("file", status.st_ino, mode)
    if stat.S_ISDIR(status.st_mode):
        return Entry("folder", status.st_ino, mode)
    return Entry("link", status.st_ino, mode, os.readlink(path))  # noqa: PTH115 - it is a string
