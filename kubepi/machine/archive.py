"""The file of a backup: written, listed, checked and read; decide/backup.py says what is in it.

May touch: the file that it is told to write. Tests: tests/unit/test_archive.py.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from kubepi.decide import backup
from kubepi.decide.backup import MANIFEST, SNAPSHOT, Manifest, Stored
from kubepi.errors import KubepiError
from kubepi.machine.host import Host
from kubepi.machine.streams import PIECE, digest_of, write_stream

LEVEL = 3  # of gzip: a Pi waits for it, and most of etcd's database is text or nothing
LARGEST_MANIFEST = 1 << 20
Contents = Mapping[str, tuple[bytes, int]]  # path -> content and permission bits


def write_archive(
    host: Host, name: str, manifest: Manifest, files: Contents, snapshot: Path
) -> None:
    """All of it or nothing, for root alone.

    Raises:
        StepFailed: it cannot be written.
    """
    stored = {
        path: Stored(hashlib.sha256(content).hexdigest(), len(content), mode)
        for path, (content, mode) in files.items()
    }
    size = snapshot.stat().st_size
    whole = replace(
        manifest, files={SNAPSHOT: Stored(digest_of(snapshot), size, 0o600), **stored}
    )

    def fill(tar: tarfile.TarFile) -> None:
        add(tar, MANIFEST, backup.to_text(whole).encode(), manifest.made)
        entry = _entry(SNAPSHOT, size, manifest.made)
        with snapshot.open("rb") as content:
            tar.addfile(entry, content)
        for path, (content_of, _mode) in sorted(files.items()):
            add(tar, path.lstrip("/"), content_of, manifest.made)

    write_tar(host, name, manifest.made, fill)


def write_tar(host: Host, name: str, made: int, fill: Callable[[tarfile.TarFile], None]) -> None:
    """Packed, for root alone, all of it or nothing; `made`: seconds since 1970.

    Raises:
        StepFailed: it cannot be written.
    """

    def pack(stream: BinaryIO) -> None:
        with (
            gzip.GzipFile("", "wb", LEVEL, stream, mtime=made) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            fill(tar)

    write_stream(host, name, pack, 0o600)


def _entry(name: str, size: int, made: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, made, 0o600
    return entry


def add(tar: tarfile.TarFile, name: str, content: bytes, made: int) -> None:
    tar.addfile(_entry(name, len(content), made), io.BytesIO(content))


@contextmanager
def _reading(path: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """The manifest, and the rest of the file behind it.

    Raises:
        KubepiError: it cannot be read, or is no backup.
    """
    try:
        with tarfile.open(path, "r|gz") as tar:
            first = tar.next()
            stream = None if first is None else tar.extractfile(first)
            if first is None or first.name != MANIFEST or stream is None:
                raise KubepiError(f"{path} is no backup of kubepi", backup.BUSY)
            text = stream.read(LARGEST_MANIFEST).decode(errors="replace")
            yield backup.parse(text, str(path)), tar
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise KubepiError(f"cannot read {path}: {error.strerror}", "") from error
        raise KubepiError(f"{path} is damaged: {error}", backup.BUSY) from error


def read_manifest(path: Path) -> Manifest:
    with _reading(path) as (manifest, _):
        return manifest


def verify(path: Path) -> Manifest:
    """Every file has the checksum that the manifest says, and none is missing.

    Raises:
        KubepiError: it is damaged.
    """
    read_files(path, lambda name: False)
    return read_manifest(path)


def read_files(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Content of the wanted files, by their path on the Pi; all of the archive is checked."""
    found: dict[str, bytes] = {}

    def take(name: str, piece: bytes) -> None:
        if name != SNAPSHOT and wanted(name):
            found[name] = found.get(name, b"") + piece

    _each_piece(path, take)
    return found


def extract_snapshot(host: Host, path: Path, name: str) -> None:
    """etcd's snapshot as a file of its own, for root alone; all of the archive is checked."""

    def fill(stream: BinaryIO) -> None:
        _each_piece(path, lambda of, piece: _write_if(of == SNAPSHOT, stream, piece))

    write_stream(host, name, fill, 0o600)


def _write_if(is_wanted: bool, stream: BinaryIO, piece: bytes) -> None:
    if is_wanted:
        stream.write(piece)


def _each_piece(path: Path, take: Callable[[str, bytes], None]) -> None:
    with _reading(path) as (manifest, tar):
        left = dict(manifest.files)
        while (entry := tar.next()) is not None:
            name = entry.name if entry.name == SNAPSHOT else f"/{entry.name}"
            about, content = left.pop(name, None), tar.extractfile(entry)
            if about is None or content is None:
                raise KubepiError(f"{path} is damaged: {name} is not in its list", backup.BUSY)
            digest = hashlib.sha256()
            take(name, b"")
            while piece := content.read(PIECE):
                digest.update(piece)
                take(name, piece)
            if digest.hexdigest() != about.sha256:
                raise KubepiError(f"{path} is damaged: {name} is not what it was", backup.BUSY)
        if left:
            raise KubepiError(f"{path} is cut off: {min(left)} is missing", backup.BUSY)


def snapshot_problem(path: Path) -> str | None:
    """Why a snapshot is not whole, by the checksum at its own end."""
    size = path.stat().st_size
    digest, end = hashlib.sha256(), b""
    with path.open("rb") as stream:
        left = max(size - backup.DIGEST, 0)
        while left and (piece := stream.read(min(PIECE, left))):
            digest.update(piece)
            left -= len(piece)
        end = stream.read()
    return backup.snapshot_problem(size, digest.digest(), end)
