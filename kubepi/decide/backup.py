"""What a backup of a master holds, what it says of itself, and how long it is kept; pure.

A backup is one tar.gz: `manifest.json` first, then `snapshot.db` (etcd), then files by their path.
Tests: tests/unit/test_backup.py.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubepi.errors import KubepiError

FORMAT = 1
MANIFEST = "manifest.json"
SNAPSHOT = "snapshot.db"
ENDING = ".tar.gz"
# by their time, so that names sort like the backups; the cluster's name has no dot
NAME = re.compile(r"kubepi-[a-z0-9-]{1,63}-\d{8}T\d{6}Z\.tar\.gz(\.sealed)?")
SECTOR, DIGEST = 512, 32
BUSY = "the file is no whole backup: copy it again, or take another one (kubepi backup list)"
# Of the keys only what kubeadm cannot make anew: the authorities, and what signs the pods' tokens
# (kubeadm's phase certs keeps these and signs the rest with them, for the address of this node).
AUTHORITIES = tuple(
    f"/etc/kubernetes/pki/{name}"
    for name in (
        "ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub",
        "etcd/ca.crt", "etcd/ca.key",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """One file of a backup as it was; `mode`: its permission bits."""

    sha256: str
    size: int
    mode: int


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. `made`: seconds since 1970.

    `sequence` is the last number that an advert of this node could have; `revision` and `keys` are
    etcd's, where a tool was there to ask for them.
    """

    cluster: str
    cluster_id: str
    node: str
    node_id: str
    address: str
    made: int
    sequence: int
    kubepi: str
    kubernetes: str
    revision: int = 0
    keys: int = 0
    files: Mapping[str, Stored] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(file.size for file in self.files.values())

    @property
    def said(self) -> str:
        """For people: whose and of when."""
        return f"{self.node} of {self.cluster!r}, {time_text(self.made)}"


def time_text(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def file_name(cluster: str, made: float) -> str:
    return f"kubepi-{cluster}-{datetime.fromtimestamp(made, UTC):%Y%m%dT%H%M%SZ}{ENDING}"


def made_at(name: str) -> float:
    """Seconds since 1970, of a backup's name."""
    day = name.rpartition("-")[2].partition(".")[0]
    return datetime.strptime(day, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def is_backup_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None


def to_text(manifest: Manifest) -> str:
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1, sort_keys=True) + "\n"


def parse(text: str, source: str) -> Manifest:
    """
    Raises:
        KubepiError: it is of another kubepi's making, or damaged.
    """
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("format") != FORMAT:
            raise KubepiError(
                f"{source} was made by another version of kubepi", "use a newer kubepi.pyz"
            )
        files = {name: Stored(**about) for name, about in data.pop("files").items()}
        manifest = Manifest(**data, files=files)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KubepiError(f"{source} is damaged: its {MANIFEST} cannot be read", BUSY) from error
    if SNAPSHOT not in manifest.files:
        raise KubepiError(f"{source} holds no snapshot of etcd", BUSY)
    return manifest


def superfluous(names: Iterable[str], keep: int) -> list[str]:
    """Backups to remove, so that of each cluster the newest `keep` stay."""
    gone: list[str] = []
    by_cluster: dict[str, list[str]] = {}
    for name in names:
        if is_backup_name(name):
            by_cluster.setdefault(name.rpartition("-")[0], []).append(name)
    for found in by_cluster.values():
        gone += sorted(found)[: -max(keep, 1)]
    return sorted(gone)


def snapshot_problem(size: int, body: bytes, end: bytes) -> str | None:
    """Why a snapshot file is not whole; `body`: digest of all but the last 32 bytes, the `end`.

    etcd sends the SHA-256 of the database behind it, and etcdctl and etcdutl know it by the size:
    a database is a multiple of 512 (etcd, client/v3/snapshot/v3_snapshot.go, hasChecksum).
    """
    if size % SECTOR != DIGEST:
        return f"its size, {size} bytes, is not that of a snapshot"
    return None if body == end else "its checksum does not fit its content"


def revision_bump(manifest: Manifest, now: float) -> int:
    """How far etcd's revisions jump: beyond all that a client can have seen since, or after an
    earlier restore of the same backup, at a million changes a second."""
    return 10**6 * (1000 + max(0, int(now) - manifest.made))


def next_sequence(manifest: Manifest, now: float, known: int) -> int:
    """A number above each that the node had in an earlier life, also after an earlier restore.

    A node says at most one advert a second, so that a thousand for each second since is beyond
    anything that somebody remembers of it, and of a life that began between then and now.
    """
    return max(known, manifest.sequence + 1000 * max(1, int(now) - manifest.made))
