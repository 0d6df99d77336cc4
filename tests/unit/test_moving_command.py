"""kubepi storage migrate: what stands in its way, what it leaves, and how it is cancelled."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.commands import moving, resume, storage
from kubepi.decide.adverts import Advert
from kubepi.decide.move import Move, Place, User
from kubepi.errors import PreflightFailed, StepFailed, UsageError
from kubepi.machine import state
from kubepi.machine.disks import is_mounted
from kubepi.reconcile import Options, reconcile
from kubepi.steps.copying import OUTSIDE, OutsideMounted
from kubepi.steps.moving import load_move, save_move, start_users
from kubepi.steps.share import share_disk
from tests.disk_programs import put_disk
from tests.fakes import Answer, FakePi
from tests.scene import fresh_pi, join_goal
from tests.share_scene import (
    CLAIM,
    DISK,
    GOAL,
    POD,
    VOLUME,
    has_objects,
    hears,
    serving_master,
    typed,
)


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return serving_master(tmp_path / "pi")


# --- what is in the way of a move -----------------------------------------------------------


def _blkid_that_knows_labels_only(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    content = pi.read(argv[-1]) or ""
    return (0, content) if content.startswith("TYPE") else (2, "")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/srv/kubepi", "it is there already"),
        ("/srv/file", "is a file"),
        ("/srv/full", "is not empty"),
        ("/dev/disk/by-id/nothing", "there is no disk"),
        ("/dev/disk/by-id/photos", "holds ext4 named 'photos'"),
        ("/dev/disk/by-id/older", "holds ext4 named 'kubepi-share'"),
        ("/dev/disk/by-id/nameless", "holds data of a kind that has no name"),
        ("/srv/kubepi/inside", "in what is shared now"),
        ("/mnt/kubepi", "in what is shared now"),
        ("/srv", "in what is shared now"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(place: str, told: str, pi: FakePi) -> None:
    pi.put("/srv/file", "")
    pi.put("/srv/full/letter", "dear")
    put_disk(pi, "/dev/disk/by-id/photos", "TYPE=ext4\nLABEL=photos\n")
    put_disk(pi, "/dev/disk/by-id/older", "TYPE=ext4\nLABEL=kubepi-share\n")
    put_disk(pi, "/dev/disk/by-id/nameless", "")
    pi.path("/dev/disk/by-id/nameless").write_bytes(b"\0\0secret")
    pi.looks("blkid", script=_blkid_that_knows_labels_only)
    before = pi.tree()
    with pytest.raises(PreflightFailed, match=told):
        storage.run(typed("migrate", "--to", place), pi)
    assert pi.tree() == before
    assert not pi.ran


def test_a_place_that_is_too_small(pi: FakePi) -> None:
    pi.free = 1000
    with pytest.raises(PreflightFailed, match="needs 5 MB"):
        storage.run(typed("migrate", "--to", "/srv/new"), pi)


@pytest.mark.parametrize("words", [("--to", "/etc/x"), ("--to", "nas"), (), ("--to", "/srv/a", "--forget-old")])  # noqa: E501 - a table
def test_what_cannot_be_meant(words: Sequence[str], pi: FakePi) -> None:
    with pytest.raises(UsageError):
        storage.run(typed("migrate", *words), pi)


def test_a_pod_of_nobodys_is_named_before_anything_is_done(pi: FakePi) -> None:
    bare = {**POD, "metadata": {"name": "bare", "namespace": "default"}}
    has_objects(pi, VOLUME, CLAIM, bare)
    with pytest.raises(Exception, match="Pod default/bare"):
        storage.run(typed("migrate", "--to", "/srv/new"), pi)
    assert load_move(pi) is None


def test_a_second_target_waits_for_the_first(pi: FakePi) -> None:
    save_move(pi, Move(Place.of(GOAL.settings), Place("master", "/srv/new"), "copied"))
    with pytest.raises(UsageError, match="on its way"):
        storage.run(typed("migrate", "--to", "/srv/other"), pi)


def test_a_worker_names_the_master(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "worker")
    state.save_goal(pi, join_goal())
    master = Advert(node="pi1", node_id="aa", address="10.0.0.1", role="master", state="ready",
                    ca_hash="sha256:" + "0" * 64)  # fmt: skip
    hears(pi, master)
    with pytest.raises(UsageError, match="by the master") as caught:
        storage.run(typed("migrate", "--to", "/srv/new"), pi)
    assert "pi1" in caught.value.hint


# --- what a move leaves ---------------------------------------------------------------------


def over(pi: FakePi, source: Place) -> Move:
    move = Move(source, Place("master", "/srv/new"), "done")
    save_move(pi, move)
    return move


def test_the_old_folder_is_removed_only_when_it_is_said(pi: FakePi) -> None:
    pi.put("/srv/old/letter", "dear")
    over(pi, Place("master", "/srv/old"))
    with pytest.raises(UsageError, match="not confirmed"):
        storage.run(typed("migrate", "--forget-old"), pi)
    assert pi.exists("/srv/old/letter")
    assert storage.run(typed("migrate", "--forget-old", "--yes"), pi) == 0
    assert not pi.exists("/srv/old")
    assert storage.run(typed("migrate", "--forget-old", "--yes"), pi) == 0


def test_an_old_disk_is_let_go_as_it_is(pi: FakePi) -> None:
    put_disk(pi, DISK)
    for part in share_disk(DISK, "/srv/kubepi-2"):
        part.apply(pi)
    assert "srv-kubepi\\x2d2.mount" in pi.running
    moving.forget(pi, over(pi, Place("master", "/srv/kubepi-2", DISK)))
    assert "srv-kubepi\\x2d2.mount" not in pi.running
    assert not pi.exists("/srv/kubepi-2")
    assert "LABEL=kubepi-share" in (pi.read(DISK) or "")


def test_what_another_node_has_stays_there(pi: FakePi) -> None:
    pi.put("/srv/attic/mine", "")
    moving.forget(pi, over(pi, Place("attic", "/srv/attic")))
    assert pi.exists("/srv/attic/mine")


def test_the_current_place_is_never_the_old_one(pi: FakePi) -> None:
    """A record that says so is wrong, whoever wrote it."""
    over(pi, Place.of(GOAL.settings))
    with pytest.raises(UsageError, match="is what the share is now"):
        storage.run(typed("migrate", "--forget-old", "--yes"), pi)
    assert pi.exists("/srv/kubepi")


def test_a_move_can_be_cancelled_until_the_switch(pi: FakePi) -> None:
    stopped = (User("Deployment", "default", "web", 2),)
    target = Place("master", "/srv/new")
    pi.put("/srv/new/letter", "dear")
    deployment = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}}
    has_objects(pi, deployment)
    said: list[str] = []
    pi.changes("kubectl", script=lambda pi, argv, stdin: _patched(said, argv, [deployment]))
    start_users(pi, Move(Place.of(GOAL.settings), target, "stopped", stopped))
    assert said == ['{"spec": {"replicas": 2}}']
    save_move(pi, Move(Place.of(GOAL.settings), target, "switched", stopped))
    with pytest.raises(UsageError, match="already"):
        storage.run(typed("migrate", "--cancel"), pi)


def _patched(said: list[str], argv: Sequence[str], items: list[Any]) -> Answer:
    if "patch" in argv:
        said.append(argv[list(argv).index("-p") + 1])
    return 0, json.dumps({"items": items})


# --- a NAS ----------------------------------------------------------------------------------


def nas(pi: FakePi, *files: str, answer: Answer = (0, "")) -> None:
    """What is on it comes with its mount, and goes with it."""

    def mounted(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if answer[0] == 0:
            for file in files:
                pi.put(f"{OUTSIDE}/{file}", "mine")
            pi.put("/proc/self/mountinfo", f"40 1 0:40 / {argv[-1]} rw - nfs4 {argv[-2]} rw\n")
        return answer

    def unmounted(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        pi.put("/proc/self/mountinfo", "")
        return 0, ""

    pi.changes("mount", script=mounted)
    pi.changes("umount", script=unmounted)
    pi.changes("mkdir", script=lambda pi, argv, stdin: (0, ""))


def test_a_nas_with_something_on_it_is_left_alone(pi: FakePi) -> None:
    nas(pi, "photos/1.jpg")
    with pytest.raises(PreflightFailed, match="photos is in it"):
        storage.run(typed("migrate", "--to", "10.0.0.9:/export"), pi)
    assert load_move(pi) is None
    assert not is_mounted(pi, OUTSIDE), "else a reset would walk into it"
    assert pi.exists(f"{OUTSIDE}/photos/1.jpg")


def test_a_nas_that_does_not_answer_changes_nothing(pi: FakePi) -> None:
    nas(pi, answer=(32, "mount.nfs4: Connection refused"))
    with pytest.raises(PreflightFailed, match="Connection refused"):
        storage.run(typed("migrate", "--to", "10.0.0.9:/export"), pi)
    assert load_move(pi) is None


def test_a_tree_with_a_mount_in_it_is_not_removed(pi: FakePi) -> None:
    nas(pi, "photos/1.jpg")
    OutsideMounted("10.0.0.9:/export").apply(pi)
    with pytest.raises(StepFailed, match="still mounted"):
        pi.remove_tree(state.RUN)
    assert pi.exists(f"{OUTSIDE}/photos/1.jpg")


def test_what_is_left_is_forgotten_before_the_next_move(pi: FakePi) -> None:
    over(pi, Place("master", "/srv/old"))
    with pytest.raises(UsageError, match="still there"):
        storage.run(typed("migrate", "--to", "/srv/third"), pi)


# --- while it is on its way -------------------------------------------------------------------


def test_nothing_else_runs_meanwhile(pi: FakePi) -> None:
    """It would start again what is stopped: its writes would go to the old place."""
    save_move(pi, Move(Place.of(GOAL.settings), Place("master", "/srv/new"), "stopped"))
    with pytest.raises(UsageError, match="on its way") as caught:
        reconcile(GOAL, pi, Options())
    assert "--cancel" in caught.value.hint
    assert not pi.ran


def test_after_a_boot_the_move_goes_on_and_nothing_before_it(pi: FakePi) -> None:
    target = Place("master", "/srv/new")
    pi.put("/srv/new/.keep", "")
    save_move(pi, Move(Place.of(GOAL.settings), target, "verified"))
    pi.put(state.PENDING, "")
    pi.looks("kubectl", script=lambda pi, argv, stdin: (1, "connection refused"))
    with pytest.raises(StepFailed, match="the API"):
        resume.run(argparse.Namespace(dry_run=False, addresses=False), pi)
    assert not any("apply" in argv for argv in pi.ran)
    assert pi.exists(state.PENDING), "systemd tries again"
