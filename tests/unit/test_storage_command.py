"""kubepi storage: what it shows, what it checks, and what stands in the way of a move."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.commands import moving, storage
from kubepi.decide.adverts import Advert
from kubepi.decide.move import Move, Place
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Share
from kubepi.errors import NoGoal, PreflightFailed, UsageError
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.report.storage import bytes_text, room_of
from kubepi.steps.moving import load_move, save_move
from kubepi.steps.share import ShareMounted, ShareServed
from tests.disk_programs import put_disk
from tests.fakes import Answer, FakePi
from tests.scene import fresh_pi, init_goal, join_goal

DISK = "/dev/disk/by-id/usb-T7"
SHARE = Share("10.0.0.7", "/srv/kubepi", "/mnt/kubepi")
GOAL = init_goal()
VOLUME = {
    "kind": "PersistentVolume", "metadata": {"name": "pv1"},
    "spec": {"hostPath": {"path": "/mnt/kubepi/default/data"}},
}  # fmt: skip
CLAIM = {
    "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
    "spec": {"storageClassName": "kubepi-nfs", "volumeName": "pv1",
             "resources": {"requests": {"storage": "1Gi"}}},
}  # fmt: skip
POD = {
    "kind": "Pod", "metadata": {"name": "web-1", "namespace": "default",
                                "ownerReferences": [{"kind": "ReplicaSet"}]},
    "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
    "status": {"phase": "Running"},
}  # fmt: skip


def worker(name: str, share: str = str(SHARE)) -> Advert:
    return Advert(node=name, node_id=name, address="10.0.0.8", role="worker", state="ready",
                  share=share)  # fmt: skip


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = fresh_pi(tmp_path / "pi")
    pi.put("/etc/kubernetes/admin.conf", "admin", 0o600)
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    ShareServed(GOAL).apply(pi)
    ShareMounted(GOAL).apply(pi)
    hears(pi, worker("pi8"))
    has_objects(pi, VOLUME, CLAIM, POD)
    pi.changes("sh", "-ec", script=lambda pi, argv, stdin: (0, ""))
    pi.looks("du", script=lambda pi, argv, stdin: (0, "5000000\t/srv/kubepi\n"))
    pi.ran.clear()
    return pi


def hears(pi: FakePi, *adverts: Advert) -> None:
    book = {advert.node_id: Peer(advert, True, pi.monotonic()) for advert in adverts}
    pi.put(PEERS, json.dumps(to_json(book)))


def has_objects(pi: FakePi, *items: Any) -> None:
    text = json.dumps({"items": items})
    pi.looks("kubectl", script=lambda pi, argv, stdin: (0, text))


def typed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    storage.add_arguments(parser)
    return parser.parse_args(words)


# --- show ---------------------------------------------------------------------------------


def test_show_tells_server_room_mounts_and_claims(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    hears(pi, worker("pi8"), worker("pi9", ""))
    assert storage.show(pi.read_only(), GOAL, False) == 0
    said = capsys.readouterr().out
    assert "10.0.0.7:/srv/kubepi, served by pi7" in said
    assert "/mnt/kubepi on pi7, pi8" in said
    assert "not yet on pi9" in said
    assert "48.0 GB free of 64.0 GB" in said
    assert "default/data  1Gi    /mnt/kubepi/default/data  web-1" in said
    assert not pi.ran, "it only looks"


def test_show_for_programs(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    assert storage.show(pi.read_only(), GOAL, True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["claims"][0]["pods"] == ["web-1"]
    assert shown["room"] == {"size": 64000000000, "free": 48000000000}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((0, "1B-blocks Avail\n1000000000 4096\n"), "is full: 4.1 kB of 1.0 GB are free"),
        ((124, ""), "the server pi7 (10.0.0.7) does not answer"),
        ((1, "df: Stale file handle"), "does not answer"),
    ],
)
def test_an_ailing_share_is_named(
    answer: Answer, told: str, pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    pi.looks("df", script=lambda pi, argv, stdin: answer)
    assert told in room_of(pi, SHARE, "pi7")[1]
    assert storage.show(pi.read_only(), GOAL, False) == 1
    assert told in capsys.readouterr().out


def test_a_pi_in_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(NoGoal):
        storage.run(typed("show"), fresh_pi(tmp_path / "fresh"))


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (48_000_000_000, "48.0 GB"),
     (123_400_000, "123 MB"), (9 * 10**15, "9000 TB")],
)  # fmt: skip
def test_sizes_are_read_as_on_the_box_of_a_disk(count: int, text: str) -> None:
    assert bytes_text(count) == text


# --- check --------------------------------------------------------------------------------


def answering(pi: FakePi, node: str) -> Callable[[], None]:
    """Another node's agent: it sees the wish, and leaves its result in the share."""

    def hook() -> None:
        number = (pi.read(state.WISH) or "").partition(" ")[0]
        found = {"node": node, "why": "", "seconds": 0.25}
        pi.put(f"/mnt/kubepi/.kubepi-check/{number}-{node}.json", json.dumps(found))

    return hook


def test_check_asks_every_node(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    pi.clock.on_sleep.append(answering(pi, "pi8"))
    assert storage.run(typed("check"), pi) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["pi7", "pi8"]
    assert "0.25 s" in said[1]
    assert not pi.exists(state.WISH)
    assert not pi.listdir("/mnt/kubepi/.kubepi-check")


def test_a_node_that_cannot_write_is_named(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert storage.run(typed("check"), pi) == 1
    assert "pi8: no result within 60 s" in capsys.readouterr().out


def test_an_own_failure_is_told_as_it_is(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    pi.changes("sh", "-ec", script=lambda pi, argv, stdin: (1, "cp: No space left on device"))
    assert storage.run(typed("check"), pi) == 1
    assert "pi7: cp: No space left on device" in capsys.readouterr().out


# --- what is in the way of a move -----------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/srv/kubepi", "it is there already"),
        ("/srv/file", "is a file"),
        ("/srv/full", "is not empty"),
        ("/dev/disk/by-id/nothing", "there is no disk"),
        ("/dev/disk/by-id/photos", "holds ext4 named 'photos'"),
        ("/dev/disk/by-id/older", "holds ext4 named 'kubepi-share'"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(place: str, told: str, pi: FakePi) -> None:
    pi.put("/srv/file", "")
    pi.put("/srv/full/letter", "dear")
    put_disk(pi, "/dev/disk/by-id/photos", "TYPE=ext4\nLABEL=photos\n")
    put_disk(pi, "/dev/disk/by-id/older", "TYPE=ext4\nLABEL=kubepi-share\n")
    before = pi.tree()
    with pytest.raises(PreflightFailed, match=told):
        storage.run(typed("migrate", "--to", place), pi)
    assert pi.tree() == before
    assert not pi.ran


def test_a_place_that_is_too_small(pi: FakePi) -> None:
    pi.free = 1000
    with pytest.raises(PreflightFailed, match="needs 5"):
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
    put_disk(pi, DISK, "TYPE=ext4\nLABEL=kubepi-share\n")
    moving.forget(pi, over(pi, Place("master", "/srv/kubepi-2", DISK)))
    assert pi.read(DISK) == "TYPE=ext4\nLABEL=kubepi-share\n"
    assert not any("mkfs.ext4" in argv for argv in pi.ran)


def test_what_is_left_is_forgotten_before_the_next_move(pi: FakePi) -> None:
    over(pi, Place("master", "/srv/old"))
    with pytest.raises(UsageError, match="still there"):
        storage.run(typed("migrate", "--to", "/srv/third"), pi)
