"""The backups that lie on this node: its own, and those that it keeps for a master.

May touch: the folder of the copies. Tests: tests/steps/test_backups.py.
"""

from dataclasses import dataclass
from pathlib import Path

from kubepi.decide.backup import Manifest, is_backup_name
from kubepi.errors import KubepiError
from kubepi.machine.archive import read_manifest, verify
from kubepi.machine.host import Host

# beside what a reset takes away: somebody may need them after it
BACKUPS = "/var/lib/kubepi-backups"
COPIES = f"{BACKUPS}/of-others"


def copies_folder(host: Host) -> str:
    """Where copies of other nodes' backups go, made for root alone."""
    host.mkdir(BACKUPS, 0o700)
    host.mkdir(COPIES, 0o700)
    return COPIES


@dataclass(frozen=True)
class Kept:
    """One file, on this node; `manifest` is None where it cannot be read."""

    path: Path
    size: int
    manifest: Manifest | None


def names_in(host: Host, folder: str) -> list[str]:
    return [name for name in host.listdir(folder) if is_backup_name(name)]


def kept_in(host: Host, folder: str) -> list[Kept]:
    """The newest first."""
    found = []
    for name in reversed(names_in(host, folder)):
        path = host.path(f"{folder}/{name}")
        found.append(Kept(path, path.stat().st_size, _manifest(path)))
    return found


def newest_good(host: Host) -> Path | None:
    """The newest backup of this node that is whole: each is read to its end until one is."""
    for kept in kept_in(host, BACKUPS):
        try:
            verify(kept.path)
        except KubepiError:
            continue
        return kept.path
    return None


def _manifest(path: Path) -> Manifest | None:
    try:
        return read_manifest(path)
    except KubepiError:
        return None
