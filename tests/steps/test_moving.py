"""kubepi/steps/moving.py and copying.py: each phase is lawful, and nothing is lost on the way."""

import json
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.move import PHASES, Move, Place, User
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Share
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.state import followed_share
from kubepi.machine.step import Step
from kubepi.steps.copying import OUTSIDE, OutsideMounted
from kubepi.steps.moving import (
    DataCopied,
    DataVerified,
    MoveLeft,
    ShareFollowed,
    ShareSwitched,
    TargetReady,
    UsersStarted,
    UsersStopped,
    load_move,
    save_move,
)
from kubepi.steps.share import ShareMounted, ShareServed
from tests.disk_programs import put_disk
from tests.fakes import Answer, FakePi
from tests.programs import boot
from tests.scene import fresh_pi, init_goal
from tests.steps.lawful import obeys
from tests.steps.test_share import hears

DISK = "/dev/disk/by-id/usb-T7"
GOAL = init_goal()
OLD, NEW = Place("master", "/srv/kubepi"), Place("master", "/srv/kubepi-2", DISK)
NODES = "/var/lib/etcd/nodes.json"
OBJECTS = "/var/lib/etcd/objects.json"
LETTER = "/srv/kubepi/default/data/letter"
WEB = User("Deployment", "default", "web", 2)
Effects = Generator[None, None, Answer]


class Master(FakePi):
    """One with a share, its API's objects in a file, and its agent."""

    def power_cut(self) -> None:
        super().power_cut()
        boot(self)
        hears(self, "")

    def tree(self, ignoring: Iterable[str] = ()) -> dict[str, tuple[str, int]]:
        """What is mounted names the root of the test."""
        return super().tree((*ignoring, "/proc/self/mountinfo"))


def deployment(replicas: int) -> dict[str, Any]:
    volumes = [{"persistentVolumeClaim": {"claimName": "data"}}]
    meta = {"name": "web", "namespace": "default"}
    template = {"spec": {"volumes": volumes}}
    return {"kind": "Deployment", "metadata": meta,
            "spec": {"replicas": replicas, "template": template}}  # fmt: skip


def objects(replicas: int = 2) -> list[dict[str, Any]]:
    meta = {"name": "data", "namespace": "default"}
    claim = {"kind": "PersistentVolumeClaim", "metadata": meta,
             "spec": {"storageClassName": "kubepi-nfs"}}  # fmt: skip
    return [claim, deployment(replicas)]


def _kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects | Answer:
    if "nodes" in argv:
        return 0, json.dumps({"items": json.loads(pi.read(NODES) or "[]")})
    if "get" in argv:
        return 0, json.dumps({"items": json.loads(pi.read(OBJECTS) or "[]")})
    return _patched(pi, json.loads(argv[list(argv).index("-p") + 1]))


def _patched(pi: FakePi, patch: dict[str, Any]) -> Effects:
    yield
    found = json.loads(pi.read(OBJECTS) or "[]")
    found[1]["spec"] |= patch["spec"]
    pi.put(OBJECTS, json.dumps(found))
    return 0, ""


def _copied(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """rsync: the same in both places at its end, one file after the other."""
    source, target = Path(argv[-2]), Path(argv[-1])
    for path in sorted(target.rglob("*")):
        if path.is_file() and not (source / path.relative_to(target)).exists():
            yield
            path.unlink()
    for path in sorted(source.rglob("*")):
        yield
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(exist_ok=True)
        else:
            shutil.copyfile(path, there)
    return 0, ""


def _compared(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    assert "--checksum" in argv
    assert "--dry-run" in argv
    source, target = Path(argv[-2]), Path(argv[-1])
    files = (path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file())
    return 0, "".join(
        f">fc........ {file}\n"
        for file in files
        if not (target / file).exists()
        or (target / file).read_bytes() != (source / file).read_bytes()
    )


def _mounted(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    row = f"40 1 0:40 / {argv[-1]} rw - nfs4 {argv[-2]} rw\n"
    pi.path("/proc/self/mountinfo").write_text(row)
    return 0, ""


def a_move(
    phase: str = "begun", target: Place = NEW, *steps: Step, users: tuple[User, ...] = ()
) -> Callable[[Path], FakePi]:
    """A master with a share that is on its way to another place."""

    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.__class__ = Master
        hears(pi, "")
        put_disk(pi, DISK)
        pi.put("/etc/kubernetes/admin.conf", "admin", 0o600)
        pi.put("/proc/self/mountinfo", "")
        pi.put(OBJECTS, json.dumps(objects()))
        pi.changes("kubectl", script=_kubectl)
        pi.changes("sh", "-c", script=_copied)
        pi.changes("rsync", script=_compared)
        pi.changes("mount", script=_mounted)
        pi.changes("umount", script=lambda pi, argv, stdin: (0, ""))
        state.save_goal(pi, GOAL)
        state.mark_reached(pi)
        ShareServed(GOAL).apply(pi)
        ShareMounted(GOAL).apply(pi)
        pi.put(LETTER, "dear")
        save_move(pi, Move(OLD, target, phase, users))
        for step in steps:
            step.apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make


READY = TargetReady("")


def found(pi: FakePi) -> Move:
    move = load_move(pi)
    assert move is not None
    return move


@pytest.mark.parametrize(
    ("step", "make"),
    [
        (READY, a_move()),
        (DataCopied(), a_move("begun", NEW, READY)),
        (UsersStopped(), a_move("copied", NEW, READY)),
        (DataVerified(), a_move("stopped", NEW, READY)),
        (ShareSwitched(), a_move("verified", NEW, READY)),
        (ShareFollowed(), a_move("switched", NEW, READY)),
        (UsersStarted(), a_move("followed", NEW, READY, users=(WEB,))),
        (OutsideMounted("10.0.0.9:/export"), a_move()),
        (MoveLeft(), a_move("copied", NEW, READY)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "apply") else "",
)
def test_each_phase_is_lawful(step: Step, make: Callable[[Path], FakePi], tmp_path: Path) -> None:
    pi = obeys(step, make, tmp_path)
    assert pi.read(LETTER) == "dear", "the old place stays as it was"


def run_all(pi: FakePi) -> None:
    for step in (
        READY, DataCopied(), UsersStopped(), DataVerified(), ShareSwitched(), ShareFollowed(),
        UsersStarted(),
    ):  # fmt: skip
        if step.check(pi) is not None:
            step.apply(pi)


def test_a_whole_move(tmp_path: Path) -> None:
    pi = a_move()(tmp_path / "pi")
    seen: list[int] = []

    def copied(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
        seen.append(replicas(pi))
        return _copied(pi, argv, stdin)

    pi.changes("sh", "-c", script=copied)
    run_all(pi)
    assert seen == [2, 0], "once while it runs, once when nobody writes"
    assert found(pi).is_over
    assert found(pi).users == (WEB,)
    assert replicas(pi) == 2
    assert pi.read("/srv/kubepi-2/default/data/letter") == "dear"
    goal = state.load_goal(pi)
    assert goal is not None
    assert goal.settings["storage.nfs.device"] == DISK
    assert followed_share(pi) == Share("10.0.0.7", "/srv/kubepi-2", "/mnt/kubepi")


def replicas(pi: FakePi) -> int:
    count: int = json.loads(pi.read(OBJECTS) or "")[1]["spec"]["replicas"]
    return count


def test_what_was_stopped_by_a_run_before_is_started_with_its_count(tmp_path: Path) -> None:
    """The second run sees no replicas any more."""
    pi = a_move("copied", NEW, READY)(tmp_path / "pi")
    save_move(pi, replace(found(pi), users=(WEB,)))
    pi.put(OBJECTS, json.dumps(objects(0)))
    run_all(pi)
    assert replicas(pi) == 2


def test_a_difference_keeps_the_old_place(tmp_path: Path) -> None:
    pi = a_move("stopped", NEW, READY)(tmp_path / "pi")
    pi.changes("sh", "-c", script=lambda pi, argv, stdin: (0, ""))  # a copy that copies nothing
    with pytest.raises(StepFailed, match="letter"):
        DataVerified().apply(pi)
    assert found(pi).phase == "stopped"
    goal = state.load_goal(pi)
    assert goal is not None
    assert goal.settings["storage.nfs.path"] == "/srv/kubepi"


def test_a_pod_that_nobody_would_start_again_stops_the_move(tmp_path: Path) -> None:
    pi = a_move("copied", NEW, READY)(tmp_path / "pi")
    bare = deployment(1)["spec"]["template"] | {
        "kind": "Pod", "metadata": {"name": "bare", "namespace": "default"}, "status": {},
    }  # fmt: skip
    pi.put(OBJECTS, json.dumps([*objects(), bare]))
    with pytest.raises(StepFailed, match="Pod default/bare"):
        UsersStopped().apply(pi)
    assert replicas(pi) == 2


def test_a_nas_that_does_not_answer(tmp_path: Path) -> None:
    nas = Place("10.0.0.9", "/export/pi")
    pi = a_move("begun", nas)(tmp_path / "pi")
    pi.changes("mount", script=lambda pi, argv, stdin: (32, "mount.nfs4: Connection refused"))
    with pytest.raises(StepFailed, match="Connection refused") as caught:
        READY.apply(pi)
    assert "10.0.0.9:/export/pi" in caught.value.sentence
    assert "NFSv4" in caught.value.hint


def test_a_nas_gets_the_data_through_a_mount_of_its_own(tmp_path: Path) -> None:
    nas = Place("10.0.0.9", "/export/pi")
    pi = a_move("begun", nas)(tmp_path / "pi")
    run_all(pi)
    assert pi.read(f"{OUTSIDE}/default/data/letter") == "dear"
    assert ("umount", str(pi.path(OUTSIDE))) in pi.ran
    assert followed_share(pi) == Share("10.0.0.9", "/export/pi", "/mnt/kubepi")
    assert found(pi).phase == PHASES[-1]


def node(name: str, ready: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "x"}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def test_every_ready_node_has_to_say_that_it_follows(tmp_path: Path) -> None:
    """After a boot nobody was heard yet, which is no proof of anything."""
    pi = a_move("switched", NEW, READY)(tmp_path / "pi")
    pi.put(NODES, json.dumps([node("pi7"), node("pi8"), node("pi9", "Unknown")]))
    with pytest.raises(StepFailed, match="last seen: pi8"):
        ShareFollowed().apply(pi)
    assert found(pi).phase == "switched"
    share = str(followed_share(pi))
    worker = Advert(node="pi8", node_id="bb", role="worker", state="ready", share=share)
    pi.put(PEERS, json.dumps(to_json({"bb": Peer(worker, True, pi.monotonic())})))
    ShareFollowed().apply(pi)
    assert found(pi).phase == "followed"
