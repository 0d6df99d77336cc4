"""CachesEmptied: only images of which no container was made, and what apt downloaded."""

import json
from pathlib import Path

from kubepi.steps.caches import ARCHIVES, CachesEmptied
from tests.containerd_programs import TASKS, collect, database, holds
from tests.fakes import FakePi
from tests.scene import Master, master
from tests.steps.lawful import obeys


class Remembering(Master):
    """containerd knows its containers after a boot, and collects what no name holds."""

    def power_cut(self) -> None:
        super().power_cut()
        knows_containers(self)
        collect(self, database(self))


def knows_containers(pi: FakePi) -> None:
    pi.put(TASKS, json.dumps({"web": {"image": "used:1"}, "sandbox": {"image": "pause"}}))


def full(folder: Path) -> FakePi:
    pi = master(folder)
    pi.__class__ = Remembering
    holds(pi, "used:1", "old:1", "pause")
    knows_containers(pi)
    pi.put(f"{ARCHIVES}/kubeadm.deb", "a package")
    pi.put(f"{ARCHIVES}/lock", "")
    pi.changes("apt-get", "clean", script=_clean)
    return pi


def _clean(pi: FakePi, argv: object, stdin: str) -> tuple[int, str]:
    pi.path(f"{ARCHIVES}/kubeadm.deb").unlink(missing_ok=True)
    return 0, ""


def test_emptied(tmp_path: Path) -> None:
    pi = obeys(CachesEmptied(), full, tmp_path)
    assert sorted(set(database(pi)["names"])) == ["pause", "used:1"]
    assert pi.listdir(ARCHIVES) == ["lock"]
