"""A backup of the cluster: etcd's snapshot, the keys and what kubepi remembers, in one file.

It is that of the master that made the cluster; a further one takes what it kept of that, with
etcd, token and version of today.

May touch: /var/lib/kubepi-backups, or another folder for a copy.
Tests: tests/steps/test_backups.py.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from kubepi import VERSION
from kubepi.cluster.etcd import ETCDCTL, PKI
from kubepi.decide.backup import Manifest, is_backup_name, next_sequence, superfluous
from kubepi.decide.goal import Goal
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.lan.sealing import ENDING, seal_file
from kubepi.machine import state
from kubepi.machine.archive import Contents, snapshot_problem, verify, write_archive
from kubepi.machine.backups import BACKUPS
from kubepi.machine.etcd_data import DATABASE
from kubepi.machine.first_master import first_master
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.machine.streams import ROOM, copy_stream
from kubepi.steps.apt import pinned_version
from kubepi.steps.etcd_tools import etcd_image, run_tool, upstream_image
from kubepi.steps.kubeadm import node_name
from kubepi.steps.names import own_address
from kubepi.steps.pulling import present_images

WORKSHOP = f"{BACKUPS}/.new"
RESERVE = 100_000_000  # bytes that a Pi needs besides
FOLDERS = (
    "/etc/kubernetes/pki", f"{state.STATE}/secrets", f"{state.STATE}/addons",
    f"{state.STATE}/labels",
)  # fmt: skip
CLUSTER_ID = f"{state.STATE}/cluster-id"
FILES = (
    "/var/lib/kubelet/config.yaml", "/etc/kubepi/kubepi.yaml", state.GOAL, state.NODE_ID,
    CLUSTER_ID, state.PINNED_VERSION, state.KNOWN, state.LIFE,
)  # fmt: skip


@dataclass(frozen=True)
class BackupMade:
    """The file of this name, verified: etcd's own checksum, and what etcdutl says where it is."""

    file: str

    @property
    def name(self) -> str:
        return f"backup {self.file}"

    def check(self, host: Host) -> Finding | None:
        if host.exists(WORKSHOP):
            return Finding("was interrupted")
        return None if host.exists(f"{BACKUPS}/{self.file}") else Finding("is to be made")

    def apply(self, host: Host) -> None:
        host.remove_tree(WORKSHOP)
        if host.exists(f"{BACKUPS}/{self.file}"):
            return
        _need_room(host)
        host.mkdir(BACKUPS, 0o700)
        host.mkdir(WORKSHOP, 0o700)
        try:
            manifest, files = _own(host) if _goal(host).makes_cluster else _of_the_first(host)
            snapshot = _take_snapshot(host)
            manifest = _with_revision(host, manifest)
            host.on_wait("writing the archive")
            name = f"{BACKUPS}/{self.file}"
            write_archive(host, name, manifest, files, snapshot)
        finally:
            host.remove_tree(WORKSHOP)
        verify(host.path(name))


def _need_room(host: Host) -> None:
    database = host.path(DATABASE)
    size = database.stat().st_size if database.exists() else 0
    # the snapshot, and the archive of it at its worst
    needed, free = 2 * size + RESERVE, host.free_bytes(state.STATE)
    if free < needed:
        raise StepFailed(
            f"the backup needs {needed // 10**6} MB in {BACKUPS}, {free // 10**6} MB are free",
            ROOM,
        )


def _take_snapshot(host: Host) -> Path:
    host.on_wait("asking etcd for a snapshot")
    try:
        run_tool(
            host, etcd_image(host), {PKI: PKI, WORKSHOP: "/kubepi"}, *ETCDCTL,
            "--dial-timeout=15s", "--command-timeout=600s", "snapshot", "save",
            "/kubepi/snapshot.db",
        )  # fmt: skip
    except CommandFailed as error:
        raise CommandFailed(
            f"etcd gave no snapshot: {error.sentence}",
            "kubepi doctor looks at etcd; a backup that was made before is not touched",
            error.output,
        ) from error
    snapshot = host.path(f"{WORKSHOP}/snapshot.db")
    problem = snapshot_problem(snapshot) if snapshot.exists() else "there is none"
    if problem is not None:
        raise StepFailed(f"etcd's snapshot is not whole: {problem}", "run the same command again")
    return snapshot


def _goal(host: Host) -> Goal:
    goal = state.load_goal(host)
    if goal is None:
        raise NotYet("a goal")
    return goal


def _own(host: Host) -> tuple[Manifest, Contents]:
    return _describe(host), _contents(host)


def _of_the_first(host: Host) -> tuple[Manifest, Contents]:
    """As it would be made there now, as far as it is known here."""
    today = _describe(host)
    first = first_master(host)
    before = first.manifest
    files = {name: (content, before.files[name].mode) for name, content in first.files.items()}
    for name, content in _contents(host).items():
        if name in (state.PINNED_VERSION, state.LIFE) or name.startswith(f"{state.STATE}/secrets/"):
            files[name] = content
    manifest = replace(
        today, node=before.node, node_id=before.node_id, address=before.address,
        sequence=next_sequence(before, today.made, 0),
    )  # fmt: skip
    return manifest, files


def _describe(host: Host) -> Manifest:
    goal = _goal(host)
    return Manifest(
        cluster=str(goal.settings["cluster.name"]),
        cluster_id=(host.read(CLUSTER_ID) or "").strip(),
        node=node_name(host),
        node_id=(host.read(state.NODE_ID) or "").strip(),
        address=own_address(host, goal),
        made=int(host.now()),
        sequence=int((host.read(state.SEQUENCE) or "0").strip() or 0),
        kubepi=VERSION,
        kubernetes=pinned_version(host),
    )


def _with_revision(host: Host, manifest: Manifest) -> Manifest:
    """What etcdutl reads in the snapshot, where an image here has it; nothing is pulled for it."""
    own, there = etcd_image(host), present_images(host)
    for image in (upstream_image(own), own):
        if image not in there:
            continue
        try:
            told = run_tool(
                host, image, {WORKSHOP: "/kubepi"}, "etcdutl", "snapshot", "status",
                "/kubepi/snapshot.db", "--write-out", "json",
            )  # fmt: skip
        except CommandFailed as error:
            if "corrupt" in error.output or "panic" in error.output:
                raise StepFailed(f"etcd's snapshot is not whole: {error.sentence}", "") from error
            host.log.line(f"decision: {image} has no etcdutl; the checksum has to do")
            continue
        about = json.loads(told.stdout)
        return replace(manifest, revision=int(about["revision"]), keys=int(about["totalKey"]))
    return manifest


def _contents(host: Host) -> Contents:
    names = [*FILES, *(f"/etc/kubernetes/{n}" for n in host.listdir("/etc/kubernetes"))]
    for folder in FOLDERS:
        names += _below(host, folder)
    found: dict[str, tuple[bytes, int]] = {}
    for name in names:
        content = None if host.is_dir(name) else host.read_bytes(name)
        if content is not None:
            found[name] = (content, host.mode(name) or 0o600)
    return found


def _below(host: Host, folder: str) -> list[str]:
    names = []
    for entry in host.listdir(folder):
        name = f"{folder}/{entry}"
        names += _below(host, name) if host.is_dir(name) else [name]
    return names


@dataclass(frozen=True)
class BackupCopied:
    """A copy of it in another folder, for root alone; sealed, where others may read that."""

    file: str
    folder: str
    is_sealed: bool = False

    @property
    def _copy(self) -> str:
        return f"{self.folder}/{self.file}{ENDING if self.is_sealed else ''}"

    @property
    def name(self) -> str:
        return f"copy in {self.folder}"

    def check(self, host: Host) -> Finding | None:
        return None if host.exists(self._copy) else Finding("is missing")

    def apply(self, host: Host) -> None:
        own = host.path(f"{BACKUPS}/{self.file}")
        if self.is_sealed:
            seal_file(host, own, self._copy)
        else:
            copy_stream(host, own, self._copy)
            verify(host.path(self._copy))


@dataclass(frozen=True)
class BackupsPruned:
    """No more than the newest `keep` of each cluster in a folder, and nothing half made."""

    folder: str
    keep: int

    @property
    def name(self) -> str:
        return f"{self.keep} backups at most in {self.folder}"

    def _superfluous(self, host: Host) -> list[str]:
        names = host.listdir(self.folder)
        half = [n for n in names if n.endswith(".kubepi-new") and is_backup_name(n[1:-11])]
        return [*superfluous(names, self.keep), *half]

    def check(self, host: Host) -> Finding | None:
        gone = self._superfluous(host)
        return Finding(f"{len(gone)} are older") if gone else None

    def apply(self, host: Host) -> None:
        for name in self._superfluous(host):
            host.remove(f"{self.folder}/{name}")
