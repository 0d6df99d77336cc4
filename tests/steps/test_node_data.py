"""kubepi/steps/node_data.py: etcd, containerd, kubelet and volumes on a disk, and off it again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.decide.mounts import DATA, NODE_DATA
from kubepi.machine import state
from kubepi.machine.step import Step
from kubepi.steps.disks import DiskFormatted
from kubepi.steps.node_data import NodeData, NodeDataLeft, node_data_problem
from tests.disk_programs import put_disk
from tests.fakes import FakePi
from tests.programs import boot
from tests.scene import fresh_pi, init_goal
from tests.steps.lawful import obeys

DISK = "/dev/disk/by-id/usb-T7"
STEP = NodeData(DISK)


class Booting(FakePi):
    def power_cut(self) -> None:
        super().power_cut()
        boot(self)


def a_pi(*steps: Step) -> Callable[[Path], FakePi]:
    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.__class__ = Booting
        put_disk(pi, DISK)
        for step in steps:
            step.apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make


def test_it_is_made_lawfully(tmp_path: Path) -> None:
    pi = obeys(STEP, a_pi(), tmp_path)
    assert {"var-lib-containerd.mount", "var-lib-etcd.mount"} <= pi.running
    unit = pi.read("/etc/systemd/system/var-lib-kubelet.mount") or ""
    assert f"What={DATA}/kubelet" in unit
    assert "RequiredBy=containerd.service kubelet.service" in unit
    assert "LABEL=kubepi-data" in (pi.read(DISK) or "")


def test_it_is_left_lawfully(tmp_path: Path) -> None:
    pi = obeys(NodeDataLeft(), a_pi(STEP), tmp_path)
    assert not any("mount" in unit for unit in pi.running)
    assert pi.read(DISK), "what is on it stays"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda pi: pi.remove(DISK), "there is no disk"),
        (lambda pi: put_disk(pi, DISK, "PTTYPE=dos\n"), "partitions (dos)"),
        (lambda pi: pi.put(f"{NODE_DATA['containerd']}/x", ""), "is not empty"),
    ],
)
def test_what_is_in_the_way(
    spoil: Callable[[FakePi], None], told: str, tmp_path: Path
) -> None:
    pi = a_pi()(tmp_path / "pi")
    assert node_data_problem(pi, DISK) is None
    assert node_data_problem(pi, "") is None
    spoil(pi)
    problem = node_data_problem(pi, DISK)
    assert problem is not None
    assert told in problem[0]


def test_a_second_run_finds_its_own(tmp_path: Path) -> None:
    """Also one that was cut before the units were written."""
    pi = a_pi(DiskFormatted(DISK, "kubepi-data"))(tmp_path / "pi")
    assert node_data_problem(pi, DISK) is not None
    state.save_goal(pi, init_goal(storage__node_data=DISK))
    pi.put(f"{NODE_DATA['containerd']}/x", "")
    assert node_data_problem(pi, DISK) is None
