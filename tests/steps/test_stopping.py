"""Kubelet, pods, share and NFS server stopped, each when its turn has come."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.disabled import Disabled
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Share
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import disabled, state
from kubepi.steps.mounts import EXPORTS
from kubepi.steps.services import ServiceEnabled
from kubepi.steps.stopping import (
    PODS,
    KubeletStopped,
    PodsStopped,
    ServingEnded,
    ShareAway,
    WorkersDisabled,
)
from tests.containerd_programs import running_containers, runs_container
from tests.fakes import FakePi
from tests.programs import boot
from tests.scene import Master, master
from tests.steps.lawful import obeys

SHARE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")
AUTOMOUNT, MOUNT = "mnt-kubepi.automount", "mnt-kubepi.mount"
NFS = "nfs-server.service"


class Booting(Master):
    """A cut restarts what is enabled, and only that."""

    def power_cut(self) -> None:
        FakePi.power_cut(self)
        boot(self)
        self.running.add("containerd.service")


def member(folder: Path) -> FakePi:
    pi = master(folder)
    for unit in ("kubelet.service", AUTOMOUNT, MOUNT, NFS):
        pi.put(f"/etc/systemd/system/{unit}", "[Unit]")
    pi.put(state.SHARE, f"{SHARE}\n")
    pi.put(EXPORTS, "/srv/kubepi")
    for unit in ("kubelet.service", AUTOMOUNT, NFS):
        ServiceEnabled(unit).apply(pi)
    pi.running |= {AUTOMOUNT, MOUNT, NFS}
    pi.__class__ = Booting
    pi.fake_disk.make_all_durable()
    return pi


def keeps_hearing(pi: FakePi, *nodes: tuple[str, str, str]) -> None:
    hears(pi, *nodes)
    pi.clock.on_sleep.append(lambda: hears(pi, *nodes))


def hears(pi: FakePi, *nodes: tuple[str, str, str]) -> None:
    book = {
        name: Peer(Advert(node=name, node_id=name, role=role, state=word), True, pi.monotonic())
        for name, role, word in nodes
    }
    pi.put(PEERS, json.dumps(to_json(book)))


def test_the_kubelet_does_not_come_back_with_a_boot(tmp_path: Path) -> None:
    pi = obeys(KubeletStopped(), member, tmp_path)
    pi.power_cut()
    assert "kubelet.service" not in pi.running


def test_the_share_is_unmounted_for_good(tmp_path: Path) -> None:
    pi = obeys(ShareAway(), member, tmp_path)
    assert not {AUTOMOUNT, MOUNT} & pi.running
    assert ShareAway().check(pi.read_only()) is None


def test_a_node_without_a_share_has_nothing_to_unmount(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi")
    pi.put(state.SHARE, "")
    assert ShareAway().check(pi.read_only()) is None


# --- pods ---------------------------------------------------------------------------------------


def with_pods(folder: Path) -> FakePi:
    pi = member(folder)
    for name in ("etcd", "kube-apiserver", "kube-scheduler", "flannel"):
        runs_container(pi, name, "kube-system")
    runs_container(pi, "etcd-of-mine")
    runs_container(pi, "stubborn")
    return pi


def killed(pi: FakePi) -> list[tuple[str, str]]:
    return [argv[-2:] for argv in pi.ran if argv[3:5] == ("tasks", "kill")]  # type: ignore[misc]


def test_pods_first_then_the_control_plane_and_etcd_last(tmp_path: Path) -> None:
    pi = obeys(PodsStopped(), with_pods, tmp_path)
    asked = [task for signal, task in killed(pi) if not task.endswith("-sandbox")]
    assert set(asked[:3]) == {"etcd-of-mine", "flannel", "stubborn"}
    assert asked[3:] == ["stubborn", "kube-scheduler", "kube-apiserver", "etcd"]
    assert ("SIGKILL", "stubborn") in killed(pi)
    assert ("SIGKILL", "etcd") not in killed(pi)
    assert not running_containers(pi)


def _umount(pi: FakePi, argv: Sequence[str], stdin: str) -> tuple[int, str]:
    pi.put("/proc/self/mountinfo", "")
    return 0, ""


def test_nothing_of_a_pod_stays_mounted(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi")
    volume = f"{PODS}/1234/volumes/kubernetes.io~local-volume/data"
    pi.put("/proc/self/mountinfo", f"1 1 0:1 / {pi.path(volume)} rw - nfs4 x rw\n")
    pi.changes("umount", script=_umount)
    found = PodsStopped().check(pi.read_only())
    assert found is not None
    assert volume in str(found)
    PodsStopped().apply(pi)
    assert PodsStopped().check(pi.read_only()) is None


def test_a_runtime_that_does_not_run_has_no_pods(tmp_path: Path) -> None:
    pi = with_pods(tmp_path / "pi")
    pi.running.discard("containerd.service")
    assert PodsStopped().check(pi.read_only()) is None


# --- with all others ----------------------------------------------------------------------------


def of_whole(folder: Path) -> FakePi:
    """One worker of two is slow."""
    pi = member(folder)
    disabled.begin(pi, Disabled(whole=True))
    keeps_hearing(pi, ("w", "worker", "disabling"), ("x", "worker", "disabled"))
    pi.fake_disk.make_all_durable()
    return pi


def test_masters_wait_for_the_workers(tmp_path: Path) -> None:
    pi = of_whole(tmp_path / "pi")
    assert str(WorkersDisabled().check(pi.read_only())) == "w not yet"
    with pytest.raises(StepFailed, match="last seen: w not yet disabled"):
        WorkersDisabled().apply(pi)
    pi.clock.on_sleep.append(lambda: hears(pi, ("w", "worker", "serving")))
    WorkersDisabled().apply(pi)
    assert WorkersDisabled().check(pi.read_only()) is None


def test_a_node_that_is_given_up_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    pi = of_whole(tmp_path / "pi")
    gone_on = Disabled(whole=True, without=("w",))
    pi.clock.on_sleep.append(lambda: disabled.save(pi, gone_on))
    WorkersDisabled().apply(pi)
    assert WorkersDisabled().check(pi.read_only()) is None


def test_who_serves_the_share_goes_last(tmp_path: Path) -> None:
    pi = of_whole(tmp_path / "pi")
    keeps_hearing(pi, ("m", "master", "disabling"))
    with pytest.raises(StepFailed, match="m not yet disabled"):
        ServingEnded().apply(pi)
    assert NFS in pi.running
    assert pi.exists(disabled.SERVING)


def test_the_server_alone_waits_for_nobody(tmp_path: Path) -> None:
    pi = obeys(ServingEnded(), member, tmp_path)
    assert NFS not in pi.running


def test_the_laws_of_waiting(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = of_whole(folder)
        pi.clock.on_sleep.append(lambda: hears(pi, ("w", "worker", "disabled")))
        return pi

    obeys(WorkersDisabled(), make, tmp_path)
