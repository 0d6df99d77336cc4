"""A file that lies where others may read it, such as the share: sealed with a key of the token.

A line that says what it is, a salt, then pieces as the depot sends them.
May touch: the file that it is told to write. Tests: tests/unit/test_sealing.py.
"""

from pathlib import Path
from typing import BinaryIO

from kubepi.decide.depot import file_key
from kubepi.errors import KubepiError
from kubepi.lan.depot import opened, own_key, sealed
from kubepi.machine.host import Host
from kubepi.machine.streams import write_stream

MARK = b"kubepi sealed 1\n"
ENDING = ".sealed"
SALT = 16


def seal_file(host: Host, source: Path, name: str) -> None:
    salt = host.random("file salt", SALT)
    key = file_key(own_key(host), salt)

    def fill(stream: BinaryIO) -> None:
        stream.write(MARK + salt)
        for piece in sealed(key, source):
            stream.write(piece)

    write_stream(host, name, fill, 0o600)


def is_sealed(source: Path) -> bool:
    try:
        with source.open("rb") as stream:
            return stream.read(len(MARK)) == MARK
    except OSError as error:
        raise KubepiError(f"cannot read {source}: {error.strerror}", "") from error


def unseal_file(host: Host, key: bytes, source: Path, name: str) -> None:
    """`key`: the depot's.

    Raises:
        KubepiError: it was sealed with another token, or is damaged.
    """

    def fill(stream: BinaryIO) -> None:
        with source.open("rb") as old:
            old.read(len(MARK))
            for piece in opened(file_key(key, old.read(SALT)), old):
                stream.write(piece)

    try:
        write_stream(host, name, fill, 0o600)
    except KubepiError as error:
        if error.hint:
            raise
        raise KubepiError(
            f"{source} cannot be opened: it is damaged, or of another token",
            "sudo kubepi token show, on a node of its cluster",
        ) from error
