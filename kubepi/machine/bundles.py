"""An archive of texts for whoever helps: written whole or not at all, and read again.

May touch: the file that it is told to write. Tests: tests/unit/test_support.py.
"""

import tarfile
from collections.abc import Mapping
from pathlib import Path

from kubepi.errors import KubepiError
from kubepi.machine.archive import add, write_tar
from kubepi.machine.host import Host

LARGEST = 64_000_000  # bytes that one node's part may be, unpacked


def write_bundle(host: Host, name: str, texts: Mapping[str, str]) -> None:
    """
    Raises:
        StepFailed: it cannot be written.
    """
    made = int(host.now())

    def fill(tar: tarfile.TarFile) -> None:
        for path, text in texts.items():
            add(tar, path, text.encode(errors="replace"), made)

    write_tar(host, name, made, fill)


def read_bundle(path: Path) -> dict[str, str]:
    """The texts by their names, without folders.

    Raises:
        KubepiError: it is damaged, or larger than a node's part can be.
    """
    found, room = {}, LARGEST
    try:
        with tarfile.open(path, "r|gz") as tar:
            for entry in tar:
                content, room = tar.extractfile(entry), room - entry.size
                if room < 0:
                    raise KubepiError(f"{path} is larger than {LARGEST} bytes", "")
                if content is not None:
                    found[Path(entry.name).name] = content.read().decode(errors="replace")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise KubepiError(f"{path} is damaged: {error}", "") from error
    return found
