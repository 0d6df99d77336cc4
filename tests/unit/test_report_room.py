"""kubepi/report/room.py: a disk that gets full, in status and doctor."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.decide.room import GB
from kubepi.machine import state
from kubepi.report.ailments import examine
from kubepi.report.room import full_disks, what_takes_it
from kubepi.report.status import gather
from kubepi.steps.share import ShareMounted, ShareServed
from tests.fakes import Answer, FakePi
from tests.scene import fresh_pi, init_goal, join_goal

GOAL = init_goal()
MB = 10**6
SIZES = {
    "/var/lib/containerd": 5 * GB, "/var/cache/apt": 1200 * MB, "/var/log/journal": 600 * MB,
    "/srv/kubepi": 3 * GB, "/var/log/pods": 4 * MB,
}  # fmt: skip


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A 16 GB card with 1.9 GB left, which also holds the share."""
    pi = fresh_pi(tmp_path / "pi")
    pi.put("/etc/kubernetes/admin.conf", "admin", 0o600)
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    ShareServed(GOAL).apply(pi)
    ShareMounted(GOAL).apply(pi)
    for folder in SIZES:
        pi.path(folder).mkdir(parents=True, exist_ok=True)

    def du(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        names = {str(pi.path(folder)): size for folder, size in SIZES.items()}
        rows = (f"{names.get(path, 0)}\t{path}\n" for path in argv if path.startswith("/"))
        return 0, "".join(rows)

    pi.looks("du", script=du)
    pi.size, pi.free = 16 * GB, 1900 * MB
    return pi


def test_a_full_card_says_what_takes_it_and_how_to_free_it(pi: FakePi) -> None:
    found = [ailment for ailment in examine(pi.read_only()) if ailment.name == "disk"]
    assert len(found) == 1
    assert found[0].sentence == (
        "the disk of / is nearly full: 1.9 GB of 16.0 GB are free; below 1.6 GB pods are evicted; "
        "it holds images 5.0 GB, other 4.3 GB, the share 3.0 GB, apt's cache 1.2 GB, "
        "the journal 600 MB"
    )
    assert found[0].cure == (
        "sudo kubepi disable --clean-cache (images); sudo du -xh / | sort -h | tail -n 20 (other); "
        "sudo kubepi storage migrate --to DISK (the share); sudo apt-get clean (apt's cache); "
        "sudo journalctl --vacuum-size=50M (the journal)"
    )


def test_once_pods_are_evicted_it_says_until_when(pi: FakePi) -> None:
    pi.free = 100 * MB
    assert "100 MB of 16.0 GB are free; pods are evicted until 1.6 GB are" in str(full_disks(pi)[0])


def test_status_names_it_and_doctor_does_not_offer_init_for_it(pi: FakePi) -> None:
    assert "nearly full" in gather(GOAL, pi.read_only()).drift["room in /"]
    drift = [ailment for ailment in examine(pi.read_only()) if ailment.name == "drift"]
    assert not any("full" in ailment.sentence for ailment in drift)


@pytest.mark.parametrize(("size", "free"), [(16, 3.3), (256, 11), (4000, 11)])
def test_room_enough_is_no_finding(pi: FakePi, size: int, free: float) -> None:
    pi.size, pi.free = size * GB, int(free * GB)
    assert full_disks(pi) == []


def test_what_is_on_another_disk_takes_nothing_of_this_one(pi: FakePi) -> None:
    elsewhere = pi.path("/var/lib/containerd")
    own = pi.device("/")

    class TwoDisks(FakePi):
        def device(self, name: str) -> int:
            return own + 1 if self.path(name) == elsewhere else own

    pi.__class__ = TwoDisks
    card, disk = full_disks(pi)
    assert (card.folder, disk.folder) == ("/", "/var/lib/containerd")
    assert "images" not in what_takes_it(pi, GOAL, card)[0]
    assert what_takes_it(pi, GOAL, disk)[0].startswith("other 9.1 GB, images 5.0 GB")


def test_another_nodes_pressure_is_in_the_table_and_doctors_finding(tmp_path: Path) -> None:
    pressure = {"type": "DiskPressure", "status": "True"}
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "pi8", "labels": {}}, "status": {
        "conditions": [{"type": "MemoryPressure", "status": "False"}, pressure, ready],
        "addresses": [], "nodeInfo": {"kubeletVersion": "v1.36.3"}}}  # fmt: skip
    pi, goal = fresh_pi(tmp_path / "pi"), join_goal()
    pi.put("/etc/kubernetes/kubelet.conf", "kubelet", 0o600)
    state.save_goal(pi, goal)
    answers = {"nodes": {"items": [node]}, "node": node}

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return 0, json.dumps(answers[argv[argv.index("get") + 1]])

    pi.looks("kubectl", script=kubectl)
    rows = gather(goal, pi.read_only()).cluster_nodes
    assert [row[:3] for row in rows] == [("pi8", "worker", "Ready, short of Disk")]
    sentences = [ailment.sentence for ailment in examine(pi.read_only()) if ailment.name == "node"]
    assert sentences == ["pi8 is Ready, short of Disk"]


def test_without_root_nothing_secret_is_asked_for(pi: FakePi) -> None:
    taken, _ = what_takes_it(pi, None, full_disks(pi)[0])
    assert "the share" not in taken
