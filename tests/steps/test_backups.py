"""kubepi/steps/backups.py: a backup of a master, and how many of them stay."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.backup import Manifest, file_name
from kubepi.decide.goal import Secret
from kubepi.errors import CommandFailed, KubepiError, StepFailed
from kubepi.machine import state
from kubepi.machine.archive import read_files, verify
from kubepi.machine.backups import BACKUPS, COPIES, kept_in, newest_good
from kubepi.machine.etcd_data import DATABASE
from kubepi.steps.backups import (
    CLUSTER_ID,
    WORKSHOP,
    BackupCopied,
    BackupMade,
    BackupsPruned,
)
from tests.certs import kubeconfig
from tests.containerd_programs import holds
from tests.etcd_programs import install_etcd
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.node_programs import own_node
from tests.scene import TOKEN, VERSION, give_token, init_goal, join_goal, master
from tests.steps.lawful import obeys

NAMES = [file_name("home", 1_800_000_000 + day * 86400) for day in range(4)]
ETCD = "registry.k8s.io/etcd:3.6.8-0"
NODES = own_node({"name": "pi7"})
SECRET = f"{state.STATE}/secrets/{Secret('token').name}"


def with_etcd(folder: Path, *tools: str) -> FakePi:
    pi = master(folder)
    install_etcd(pi, tools or ("etcdctl", "etcdutl"))
    holds(pi, ETCD)
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    for name, text in (
        (state.PINNED_VERSION, VERSION), (state.NODE_ID, "aa"), (CLUSTER_ID, "0123abcd"),
        (state.SEQUENCE, "5000"), (OBJECTS, json.dumps(NODES)), (DATABASE, "x" * 4096),
        ("/etc/kubernetes/pki/etcd/ca.key", "the other key"),
    ):  # fmt: skip
        pi.put(name, text, 0o600)
    pi.fake_disk.make_all_durable()
    return pi


def with_backups(folder: Path) -> FakePi:
    pi = with_etcd(folder)
    for name in NAMES[:3]:
        BackupMade(name).apply(pi)
    pi.fake_disk.make_all_durable()
    return pi


def about(pi: FakePi, name: str) -> Manifest:
    return verify(pi.path(f"{BACKUPS}/{name}"))


def test_a_backup_obeys_the_laws_and_holds_what_a_master_needs(tmp_path: Path) -> None:
    pi = obeys(BackupMade(NAMES[0]), with_etcd, tmp_path)
    manifest = about(pi, NAMES[0])
    assert (manifest.node, manifest.node_id, manifest.sequence) == ("pi7", "aa", 5000)
    assert (manifest.kubernetes, manifest.cluster_id) == (VERSION, "0123abcd")
    assert (manifest.revision, manifest.keys) == (4711, 123)
    files = read_files(pi.path(f"{BACKUPS}/{NAMES[0]}"), lambda name: True)
    assert files[SECRET].decode().strip() == TOKEN
    assert files["/etc/kubernetes/pki/etcd/ca.key"] == b"the other key"
    assert files["/etc/kubernetes/admin.conf"].decode() == kubeconfig("admin.conf")
    assert json.loads(files[state.GOAL])["verb"] == "init"
    assert pi.mode(BACKUPS) == 0o700
    assert not pi.exists(WORKSHOP)
    assert not any(TOKEN in word for argv in pi.ran for word in argv)


def test_without_etcdutl_the_checksum_has_to_do(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi", "etcdctl")
    BackupMade(NAMES[0]).apply(pi)
    assert about(pi, NAMES[0]).revision == 0
    holds(pi, "gcr.io/etcd-development/etcd:v3.6.8")
    BackupMade(NAMES[1]).apply(pi)
    assert about(pi, NAMES[1]).revision == 4711


def test_an_etcd_that_is_off_gives_none_and_leaves_nothing(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    pi.running.discard("kubelet.service")
    with pytest.raises(CommandFailed, match="etcd gave no snapshot") as caught:
        BackupMade(NAMES[0]).apply(pi)
    assert "kubepi doctor" in caught.value.hint
    assert pi.listdir(BACKUPS) == []


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    pi.free = 50_000_000
    with pytest.raises(StepFailed, match="100 MB in /var/lib/kubepi-backups, 50 MB are free"):
        BackupMade(NAMES[0]).apply(pi)
    assert pi.ran == []
    assert not pi.exists(BACKUPS)


def test_a_copy_obeys_the_laws(tmp_path: Path) -> None:
    pi = obeys(BackupCopied(NAMES[0], "/media/usb"), with_backups, tmp_path)
    assert pi.mode(f"/media/usb/{NAMES[0]}") == 0o600


def test_a_copy_on_the_share_is_sealed(tmp_path: Path) -> None:
    pi = obeys(BackupCopied(NAMES[0], "/mnt/kubepi", True), with_backups, tmp_path)
    assert b"etcd" not in (pi.read_bytes(f"/mnt/kubepi/{NAMES[0]}.sealed") or b"etcd")


def test_only_the_newest_stay(tmp_path: Path) -> None:
    pi = obeys(BackupsPruned(BACKUPS, 2), with_backups, tmp_path)
    assert pi.listdir(BACKUPS) == NAMES[1:3]
    pi.put(f"{BACKUPS}/.{NAMES[3]}.kubepi-new", "what a power cut left")
    assert BackupsPruned(BACKUPS, 2).check(pi.read_only()) is not None
    BackupsPruned(BACKUPS, 2).apply(pi)
    assert pi.listdir(BACKUPS) == NAMES[1:3]


def test_the_newest_good_one_is_offered(tmp_path: Path) -> None:
    pi = with_backups(tmp_path / "pi")
    assert newest_good(pi) == pi.path(f"{BACKUPS}/{NAMES[2]}")
    pi.put(f"{BACKUPS}/{NAMES[2]}", "half")
    assert newest_good(pi) == pi.path(f"{BACKUPS}/{NAMES[1]}")
    assert [kept.manifest is None for kept in kept_in(pi, BACKUPS)] == [True, False, False]
    with pytest.raises(KubepiError):
        about(pi, NAMES[2])


def further_master(folder: Path) -> FakePi:
    """It keeps a backup of the first one, of an older Kubernetes and with another token."""
    first = with_etcd(folder.parent / f"{folder.name}-first")
    first.put(state.PINNED_VERSION, "v1.35.4", 0o600)
    BackupMade(NAMES[0]).apply(first)
    pi = with_etcd(folder)
    state.save_goal(pi, replace(join_goal(), as_master=True))
    state.mark_reached(pi)
    pi.put(state.NODE_ID, "bb", 0o600)
    pi.put(CLUSTER_ID, "of a later token", 0o600)
    pi.put(SECRET, "the new token", 0o600)
    pi.put(f"{COPIES}/{NAMES[3]}", "damaged", 0o600)
    shutil.copy(first.path(f"{BACKUPS}/{NAMES[0]}"), pi.path(COPIES))
    pi.fake_disk.make_all_durable()
    return pi


def test_a_further_master_makes_one_of_the_first_master_as_it_would_be_now(tmp_path: Path) -> None:
    pi = obeys(BackupMade(NAMES[1]), further_master, tmp_path)
    before, manifest = verify(pi.path(f"{COPIES}/{NAMES[0]}")), about(pi, NAMES[1])
    assert (manifest.node, manifest.node_id, manifest.kubernetes) == ("pi7", "aa", VERSION)
    assert manifest.sequence > before.sequence
    files = read_files(pi.path(f"{BACKUPS}/{NAMES[1]}"), lambda name: True)
    assert json.loads(files[state.GOAL])["verb"] == "init"
    assert files[SECRET] == b"the new token"
    assert files[state.NODE_ID] == b"aa"
    # and another one without the first one's copy
    pi.path(f"{COPIES}/{NAMES[0]}").unlink()
    BackupMade(NAMES[2]).apply(pi)
    assert about(pi, NAMES[2]).node_id == "aa"


def test_without_any_of_the_first_master_a_further_one_makes_none(tmp_path: Path) -> None:
    pi = further_master(tmp_path / "pi")
    pi.put("/etc/kubernetes/pki/ca.crt", "of another")
    with pytest.raises(StepFailed, match="no backup of the master that made the cluster") as caught:
        BackupMade(NAMES[1]).apply(pi)
    assert "sudo kubepi backup there" in caught.value.hint
    assert pi.listdir(BACKUPS) == ["of-others"]
    assert not any("snapshot" in argv for argv in pi.ran), "nothing is written for nothing"
