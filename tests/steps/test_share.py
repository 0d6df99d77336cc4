"""kubepi/steps/share.py: served, mounted, followed and left; by a master and by workers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Share, automount_unit, client_mount, own_mount
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine.state import followed_share
from kubepi.machine.step import Step
from kubepi.steps.disks import FolderShut
from kubepi.steps.mounts import (
    EXPORTS,
    Automount,
    ExportsEnded,
    FolderMade,
    MountEnded,
    UnitsMasked,
    UnitsUnmasked,
)
from kubepi.steps.packages import AptPackages
from kubepi.steps.share import (
    NFS_CONF,
    OLD_NFS,
    ShareLeft,
    ShareMounted,
    ShareServed,
)
from kubepi.steps.share_problems import share_problem
from tests.disk_programs import put_disk
from tests.fakes import FakePi
from tests.programs import boot
from tests.scene import fresh_pi, init_goal, join_goal
from tests.steps.lawful import obeys

DISK = "/dev/disk/by-id/usb-T7"
MOUNT = "/etc/systemd/system/mnt-kubepi.mount"
AUTOMOUNT = "mnt-kubepi.automount"
THERE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")
MASTER = Advert(
    cluster="home", node="pi1", node_id="aa", address="10.0.0.1", role="master", state="ready",
    ca_hash="sha256:" + "0" * 64, endpoint="home.kubepi.internal:6443", share=str(THERE),
)  # fmt: skip


class Listening(FakePi):
    """After a power cut its agent hears the master again, and systemd starts what is enabled."""

    heard = ""

    def power_cut(self) -> None:
        super().power_cut()
        boot(self)
        hears(self, self.heard)


def hears(pi: FakePi, share: str) -> None:
    """A master that names this share."""
    book = {"aa": Peer(replace(MASTER, share=share), True, pi.monotonic())}
    path = pi.path(PEERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(book)))


def a_pi(*steps: Step, heard: str = str(THERE), disk: str = "") -> Callable[[Path], FakePi]:
    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.__class__ = Listening
        assert isinstance(pi, Listening)
        pi.heard = heard
        hears(pi, heard)
        if disk:
            put_disk(pi, disk)
        for step in steps:
            step.apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make


MASTERS, WORKERS = init_goal(), join_goal()
WITH_DISK = init_goal(storage__nfs__device=DISK)
SERVER = (ShareServed(MASTERS), ShareMounted(MASTERS))


def test_a_master_serves_lawfully(tmp_path: Path) -> None:
    pi = obeys(ShareServed(MASTERS), a_pi(), tmp_path)
    assert "nfs-server.service" in pi.running
    assert "/srv/kubepi 10.0.0.7/32(" in (pi.read(EXPORTS) or "")
    assert "vers3=n" in (pi.read(NFS_CONF) or "")


def test_a_disk_is_served_lawfully(tmp_path: Path) -> None:
    pi = obeys(ShareServed(WITH_DISK), a_pi(disk=DISK), tmp_path)
    assert "srv-kubepi.mount" in pi.running
    assert "mountpoint" in (pi.read(EXPORTS) or "")
    assert "/srv/kubepi" in (pi.read("/proc/immutable") or ""), "the card would be written to"


def test_the_server_mounts_its_own_folder_lawfully(tmp_path: Path) -> None:
    pi = obeys(ShareMounted(MASTERS), a_pi(ShareServed(MASTERS)), tmp_path)
    assert "Options=bind" in (pi.read(MOUNT) or "")
    assert followed_share(pi) == replace(THERE, address="10.0.0.7")


def test_a_worker_mounts_what_its_master_names_lawfully(tmp_path: Path) -> None:
    pi = obeys(ShareMounted(WORKERS), a_pi(), tmp_path)
    assert "What=10.0.0.1:/srv/kubepi\n" in (pi.read(MOUNT) or "")
    assert AUTOMOUNT in pi.running
    assert ShareServed(WORKERS).check(pi) is None, "it serves nothing"
    assert not any("nfs-kernel-server" in argv for argv in pi.ran)


PACKAGES = AptPackages(("nfs-common",))
AT_WORK = Automount("/mnt/kubepi", client_mount(THERE), automount_unit(THERE))


@pytest.mark.parametrize(
    ("step", "before"),
    [
        (AT_WORK, ()),
        (Automount("/mnt/kubepi", own_mount(THERE), automount_unit(THERE)), (AT_WORK,)),
        (MountEnded("/mnt/kubepi"), (AT_WORK,)),
        (ExportsEnded(), (ShareServed(MASTERS),)),
        (FolderMade("/srv/kubepi"), ()),
        (UnitsMasked(OLD_NFS, "rpcbind"), (PACKAGES,)),
        (UnitsUnmasked(OLD_NFS), (PACKAGES, UnitsMasked(OLD_NFS, "rpcbind"))),
    ],
)
def test_the_parts_are_lawful(step: Step, before: tuple[Step, ...], tmp_path: Path) -> None:
    obeys(step, a_pi(*before), tmp_path)


def test_a_worker_follows_to_another_server(tmp_path: Path) -> None:
    pi = a_pi(ShareMounted(WORKERS))(tmp_path / "pi")
    there = replace(THERE, address="10.0.0.9", path="/export/pi")
    hears(pi, str(there))
    finding = ShareMounted(WORKERS).check(pi)
    assert "other content" in str(finding)
    ShareMounted(WORKERS).apply(pi)
    assert followed_share(pi) == there
    assert ("systemctl", "stop", AUTOMOUNT, "mnt-kubepi.mount") in pi.ran, "the old one is left"
    assert AUTOMOUNT in pi.running


def test_a_master_begins_without_the_share_of_a_node_that_joins_later(tmp_path: Path) -> None:
    attic = init_goal(storage__nfs__server="attic")
    pi = a_pi()(tmp_path / "pi")
    for step in (ShareServed(attic), ShareMounted(attic)):
        if step.check(pi) is not None:
            step.apply(pi)
    assert followed_share(pi) is None
    book = {"bb": Peer(replace(MASTER, role="worker", node="attic", node_id="bb",
                               address="10.0.0.9"), True, pi.monotonic())}  # fmt: skip
    pi.put(PEERS, json.dumps(to_json(book)))
    assert ShareMounted(attic).check(pi) is not None
    ShareMounted(attic).apply(pi)
    assert followed_share(pi) == replace(THERE, address="10.0.0.9")


def test_a_worker_that_is_named_begins_to_serve_and_ends_again(tmp_path: Path) -> None:
    pi = a_pi(heard="10.0.0.7:/srv/kubepi /mnt/kubepi")(tmp_path / "pi")
    ShareServed(WORKERS).apply(pi)
    assert pi.exists(EXPORTS)
    hears(pi, str(THERE))
    assert "no exports" in str(ShareServed(WORKERS).check(pi))
    ShareServed(WORKERS).apply(pi)
    assert not pi.exists(EXPORTS)
    assert ("exportfs", "-r") in pi.ran


def test_a_master_that_names_none_takes_the_mount_away(tmp_path: Path) -> None:
    pi = a_pi(ShareMounted(WORKERS))(tmp_path / "pi")
    hears(pi, "")
    ShareMounted(WORKERS).apply(pi)
    assert ShareMounted(WORKERS).check(pi) is None
    assert AUTOMOUNT not in pi.running
    assert not pi.exists(MOUNT)
    assert not pi.exists("/mnt/kubepi")


def test_a_silent_master_changes_nothing(tmp_path: Path) -> None:
    pi = a_pi(ShareMounted(WORKERS))(tmp_path / "pi")
    pi.remove(PEERS)
    assert ShareMounted(WORKERS).check(pi) is None


def test_a_worker_that_never_heard_a_master_waits(tmp_path: Path) -> None:
    pi = a_pi()(tmp_path / "pi")
    pi.remove(PEERS)
    with pytest.raises(NotYet, match="a master"):
        ShareMounted(WORKERS).check(pi)


def test_it_is_left_lawfully_and_the_data_stays(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = a_pi(*SERVER)(folder)
        pi.put("/srv/kubepi/default/claim/letter", "dear")
        return pi

    pi = obeys(ShareLeft(), make, tmp_path)
    assert not pi.exists(EXPORTS)
    assert not pi.exists("/mnt/kubepi")
    assert pi.read("/srv/kubepi/default/claim/letter") == "dear"


def test_a_disk_is_left_with_what_is_on_it(tmp_path: Path) -> None:
    steps = (ShareServed(WITH_DISK), ShareMounted(WITH_DISK))
    pi = obeys(ShareLeft(), a_pi(*steps, disk=DISK), tmp_path)
    assert "LABEL=kubepi-share" in (pi.read(DISK) or "")
    assert "srv-kubepi.mount" not in pi.running


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    pi = a_pi()(tmp_path / "pi")
    pi.put("/srv/kubepi", "not a folder")
    with pytest.raises(StepFailed, match="is a file"):
        ShareServed(MASTERS).apply(pi)
    assert pi.read("/srv/kubepi") == "not a folder"
    assert share_problem(pi, MASTERS) == (
        "/srv/kubepi is a file", "move it away, or name another folder"
    )  # fmt: skip
    assert share_problem(pi, init_goal(storage__nfs__server="10.0.0.9")) is None


@pytest.mark.parametrize("taken", ["file", "folder", "mount"])
def test_a_mount_point_in_use(taken: str, tmp_path: Path) -> None:
    pi = a_pi()(tmp_path / "pi")
    assert share_problem(pi, MASTERS) is None
    if taken == "file":
        pi.put("/mnt/kubepi", "")
    elif taken == "folder":
        pi.put("/mnt/kubepi/mine", "")
    else:
        row = f"40 1 8:1 / {pi.path('/mnt/kubepi')} rw - ext4 /dev/sda1 rw\n"
        pi.put("/proc/self/mountinfo", row)
    problem = share_problem(pi, MASTERS)
    assert problem is not None
    assert "/mnt/kubepi" in problem[0]
    assert "storage.nfs.mount" in problem[1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("TYPE=ntfs\nLABEL=photos\n", "holds ntfs named 'photos'"),
        (None, "there is no disk"),
    ],
)
def test_a_disk_that_is_not_to_be_had(content: str | None, told: str, tmp_path: Path) -> None:
    pi = a_pi()(tmp_path / "pi")
    if content is not None:
        put_disk(pi, DISK, content)
    problem = share_problem(pi, WITH_DISK)
    assert problem is not None
    assert told in problem[0]


def test_what_an_interrupted_run_left_is_no_problem(tmp_path: Path) -> None:
    pi = a_pi(ShareServed(WITH_DISK), disk=DISK)(tmp_path / "pi")
    FolderShut("/mnt/kubepi").apply(pi)
    AT_WORK.apply(pi)
    assert share_problem(pi, WITH_DISK) is None
