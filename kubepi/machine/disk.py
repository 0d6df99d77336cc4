"""The single effects on files: each method is one thing that a power cut can fall behind.

Tests put a disk in its place that counts effects, dies at one and forgets what was not synced
(tests/fakes.py).
"""

import os
import shutil
from pathlib import Path


class Disk:
    """Effects on real files; paths are real paths, already below the root."""

    def create(self, path: Path, data: bytes, mode: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)

    def fsync(self, path: Path) -> None:
        """Make a file's content, or a folder's names, survive a power cut."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another; a power cut leaves one of the two, on FAT too.

        There the entry of `new` leads to the old content until the file's own metadata is written
        (linux/fs/fat/namei_vfat.c), and that content's clusters are free as soon as nobody has it
        open: free in the table, and still what the entry says, is a file that fsck empties.
        """
        held = os.open(new, os.O_RDONLY) if new.is_file() else None
        try:
            old.rename(new)
            if held is not None:
                Disk.fsync(self, new)
        finally:
            if held is not None:
                os.close(held)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def mkdir(self, path: Path, mode: int) -> None:
        path.mkdir(mode)
        path.chmod(mode)

    def rmtree(self, path: Path) -> None:
        shutil.rmtree(path)

    def rmdir(self, path: Path) -> None:
        path.rmdir()

    def symlink(self, path: Path, target: str) -> None:
        path.symlink_to(target)

    def chmod(self, path: Path, mode: int) -> None:
        path.chmod(mode)

    def chown(self, path: Path, uid: int, gid: int) -> None:
        os.chown(path, uid, gid)

    def tune(self, path: Path, text: str) -> None:
        """A file that is the kernel's: written as it is, no power cut keeps it."""
        with path.open("w") as stream:
            stream.write(text)

    def mutter(self, path: Path, text: str) -> None:
        """To a terminal that may be stopped (Ctrl-S): what does not fit is lost, nobody waits."""
        terminal = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            os.write(terminal, text.encode())
        except BlockingIOError:
            return  # it is stopped; the next state is said again
        finally:
            os.close(terminal)

    def sync(self) -> None:
        """Everything written so far survives a power cut."""
        os.sync()
