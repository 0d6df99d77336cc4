"""A file too large for the memory of a Pi, written piece by piece and put in place at once.

As Host.write, with a function in place of the content. Tests: tests/unit/test_archive.py.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from kubepi.errors import StepFailed
from kubepi.machine.host import Host

PIECE = 1 << 18
ROOM = "make room (df -h), or let --to name another disk; then run the same command again"


def write_stream(host: Host, name: str, fill: Callable[[BinaryIO], None], mode: int) -> None:
    """Whole or not there at all, whatever happens in the middle.

    Raises:
        StepFailed: the disk is full or broken; nothing is left of the attempt.
    """
    target = host.path(name)
    temporary = target.with_name(f".{target.name}.kubepi-new")
    try:
        host.mkdir(str(Path(name).parent))
        host.disk.create(temporary, b"", mode)
        try:
            with temporary.open("r+b") as stream:
                fill(stream)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        host.disk.fsync(temporary)
        host.disk.rename(temporary, target)
        host.disk.fsync(target.parent)
    except OSError as error:
        with suppress(OSError):  # a disk that went read-only lets nothing be cleaned up
            temporary.unlink(missing_ok=True)
        raise StepFailed(f"cannot write {name}: {error.strerror or error}", ROOM) from error


def copy_stream(host: Host, source: Path, name: str, mode: int = 0o600) -> None:
    """A copy of `source`, which is any file of this machine."""

    def fill(stream: BinaryIO) -> None:
        with source.open("rb") as old:
            while piece := old.read(PIECE):
                stream.write(piece)

    write_stream(host, name, fill, mode)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
