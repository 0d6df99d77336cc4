"""kubepi/machine/archive.py and streams.py: a backup as a file, whole or refused."""

import os
from pathlib import Path

import pytest

from kubepi.decide.backup import SNAPSHOT, Manifest
from kubepi.errors import KubepiError, StepFailed
from kubepi.machine import archive
from kubepi.machine.archive import (
    extract_snapshot,
    read_files,
    read_manifest,
    verify,
    write_archive,
)
from kubepi.machine.streams import copy_stream
from tests.etcd_programs import snapshot_of
from tests.fakes import FakePi, PowerCut

ABOUT = Manifest("home", "0123abcd", "pi1", "aa", "10.0.0.1", 1_800_000_000, 5, "0.1", "v1.36.3")
NAME = "/var/lib/kubepi-backups/kubepi-home-20270115T080000Z.tar.gz"
FILES = {
    "/etc/kubernetes/pki/ca.key": (b"the key", 0o600),
    "/etc/kubernetes/pki/ca.crt": (b"the CA", 0o644),
}


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    (tmp_path / "root").mkdir()
    return FakePi(tmp_path / "root")


def made(pi: FakePi, content: bytes = b"objects") -> Path:
    snapshot = pi.root.parent / "snapshot.db"
    snapshot.write_bytes(snapshot_of(content))
    write_archive(pi, NAME, ABOUT, FILES, snapshot)
    return pi.path(NAME)


def test_what_was_put_in_comes_out(pi: FakePi) -> None:
    path = made(pi)
    assert path.stat().st_mode & 0o777 == 0o600
    manifest = verify(path)
    assert (manifest.node, manifest.made) == ("pi1", 1_800_000_000)
    assert {name: file.mode for name, file in manifest.files.items()} == {
        SNAPSHOT: 0o600, "/etc/kubernetes/pki/ca.key": 0o600, "/etc/kubernetes/pki/ca.crt": 0o644,
    }  # fmt: skip
    assert read_files(path, lambda name: name.endswith(".key")) == {
        "/etc/kubernetes/pki/ca.key": b"the key"
    }
    extract_snapshot(pi, path, "/x/snapshot.db")
    assert pi.read_bytes("/x/snapshot.db") == snapshot_of(b"objects")
    assert pi.mode("/x/snapshot.db") == 0o600


def test_a_cut_leaves_no_file_of_that_name(pi: FakePi) -> None:
    made(pi)
    effects = pi.fake_disk.effects
    pi.remove(NAME)
    for effect in range(1, effects):
        pi.die_at(effect)
        try:
            made(pi)
        except PowerCut:
            pi.power_cut()
        pi.fake_disk.die_at = None
        if pi.exists(NAME):
            verify(pi.path(NAME))
            pi.remove(NAME)


def test_a_damaged_file_is_refused_wherever_the_damage_is(pi: FakePi) -> None:
    path = made(pi, os.urandom(3000))
    whole = path.read_bytes()
    # the last bytes of all are padding
    for place in range(0, len(whole) - 64, 97):
        path.write_bytes(whole[:place])
        with pytest.raises(KubepiError, match=r"damaged|no backup|cut off"):
            verify(path)
    refused = 0
    for place in range(12, len(whole) - 8, 41):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            verify(path)
        except KubepiError:
            refused += 1
    # what is only padding of the tar may be anything
    assert refused > len(range(12, len(whole) - 8, 41)) * 0.8


def test_what_is_no_backup_is_said_to_be_none(pi: FakePi, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(KubepiError, match=r"damaged|no backup"):
        read_manifest(tmp_path / "text")
    with pytest.raises(KubepiError, match="cannot read"):
        read_manifest(tmp_path / "none")


def test_a_full_disk_leaves_nothing_half_written(pi: FakePi, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10)

    class Full(type(pi.disk)):  # type: ignore[misc]
        def fsync(self, path: Path) -> None:
            raise OSError(28, "No space left on device")

    pi.disk = Full(pi.root)
    with pytest.raises(StepFailed, match="No space left") as caught:
        copy_stream(pi, source, "/a/copy")
    assert "make room" in caught.value.hint
    assert pi.listdir("/a") == []


def test_a_snapshot_is_checked_by_its_own_sum(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.db"
    file.write_bytes(snapshot_of(b"objects"))
    assert archive.snapshot_problem(file) is None
    file.write_bytes(snapshot_of(b"objects")[:-512])
    assert archive.snapshot_problem(file) is not None
    file.write_bytes(b"")
    assert archive.snapshot_problem(file) is not None
