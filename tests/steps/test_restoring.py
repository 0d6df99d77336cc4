"""kubepi/steps/restoring.py: each phase is lawful, on a new board and on the same master."""

import json
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.backup import file_name
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS
from kubepi.machine.restoring import (
    MANIFEST,
    RESTORE,
    content_of,
    laid_out,
    lay_out,
    note_phase,
)
from kubepi.machine.step import Step
from kubepi.steps import control_plane
from kubepi.steps.backups import BackupMade
from kubepi.steps.etcd_tools import CHOSEN, EtcdutlThere
from kubepi.steps.restoring import (
    ETCD,
    STARTED,
    ControlPlaneRestored,
    ControlPlaneStopped,
    EtcdRestored,
    KeysRestored,
    LifeBegun,
    RestoreOver,
    StateRestored,
)
from tests.containerd_programs import holds
from tests.etcd_programs import install_etcd, pods_run
from tests.fakes import FakePi, PowerCut
from tests.kubernetes_programs import OBJECTS
from tests.programs import boot
from tests.scene import VERSION, fresh_pi, settings
from tests.steps.lawful import MakePi, obeys
from tests.steps.test_backups import ETCD as ETCD_IMAGE
from tests.steps.test_backups import NODES, SECRET, with_etcd

NAME = file_name("home", 1_799_000_000)
GOAL = Goal("restore", settings())
UPSTREAM = "gcr.io/etcd-development/etcd:v3.6.8"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the master pi7, made an hour ago."""
    folder = tmp_path_factory.mktemp("archive")
    pi = with_etcd(folder / "pi")
    pi.clock.seconds -= 3600
    BackupMade(NAME).apply(pi)
    return pi.path(f"{BACKUPS}/{NAME}")


class Powered(FakePi):
    """containerd starts at every boot, and kubelet where it is enabled."""

    def power_cut(self) -> None:
        super().power_cut()
        boot(self)
        self.running.add("containerd.service")


def new_board(archive: Path, *before: Step, phase: str = "") -> MakePi:
    """A fresh card, its packages and images there, the backup laid out."""

    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.__class__ = Powered
        install_etcd(pi)
        pi.running.add("containerd.service")
        pi.put("/usr/bin/kubeadm", "kubeadm")
        pi.put("/usr/lib/systemd/system/kubelet.service", "kubelet")
        pi.put(state.PINNED_VERSION, VERSION)
        holds(pi, ETCD_IMAGE)
        lay_out(pi, archive)
        for step in before:
            step.apply(pi)
        if phase:
            note_phase(pi, phase)
        pi.fake_disk.make_all_durable()
        return pi

    return make


def same_master(archive: Path) -> MakePi:
    def make(folder: Path) -> FakePi:
        pi = with_etcd(folder)
        pi.__class__ = Powered
        pi.put("/usr/lib/systemd/system/kubelet.service", "kubelet")
        pods_run(pi)
        lay_out(pi, archive)
        pi.fake_disk.make_all_durable()
        return pi

    return make


def test_what_the_master_remembered_comes_back(archive: Path, tmp_path: Path) -> None:
    pi = obeys(StateRestored(), new_board(archive), tmp_path)
    assert pi.read(state.NODE_ID) == "aa\n"
    assert pi.mode(SECRET) == 0o600
    assert int(pi.read(state.SEQUENCE) or 0) == 5000 + 1000 * 3600
    assert pi.exists(state.restart_flag("kubepi-agent.service"))


def test_a_clock_behind_the_backup_is_waited_for(archive: Path, tmp_path: Path) -> None:
    """The number of the adverts comes from it: one too low, and nobody hears this node."""
    pi = new_board(archive)(tmp_path / "pi")
    pi.clock.seconds -= 10**7
    with pytest.raises(StepFailed, match="clock"):
        StateRestored().apply(pi)
    assert not pi.exists(state.NODE_ID)


def test_the_same_master_keeps_what_is_newer(archive: Path, tmp_path: Path) -> None:
    pi = same_master(archive)(tmp_path / "pi")
    pi.put(SECRET, "a rotated token")
    assert StateRestored().check(pi.read_only()) is None
    pi.path(state.PINNED_VERSION).unlink()
    assert StateRestored().check(pi.read_only()) is not None
    StateRestored().apply(pi)
    assert pi.read(SECRET) == "a rotated token"
    assert pi.read(state.PINNED_VERSION) == VERSION
    assert pi.read(state.SEQUENCE) == "5000"


def test_another_identity_is_left_behind(archive: Path, tmp_path: Path) -> None:
    """A Pi that waited in an election under an id of its own."""
    pi = new_board(archive)(tmp_path / "pi")
    pi.put(state.NODE_ID, "bb\n")
    pi.put(state.VOTE, "what bb promised")
    pi.put(state.SEQUENCE, "9000000000\n")
    StateRestored().apply(pi)
    assert pi.read(state.NODE_ID) == "aa\n"
    assert not pi.exists(state.VOTE)
    assert pi.read(state.SEQUENCE) == "9000000000\n"


def test_the_control_plane_is_stopped_and_stays_so(archive: Path, tmp_path: Path) -> None:
    pi = obeys(ControlPlaneStopped(), same_master(archive), tmp_path)
    assert control_plane.still_there(pi) is None
    killed = [argv[-1] for argv in pi.ran if argv[3:5] == ("tasks", "kill")]
    assert killed.index("etcd") > killed.index("kube-apiserver") > killed.index("kube-scheduler")


def test_the_authorities_come_back(archive: Path, tmp_path: Path) -> None:
    pi = obeys(KeysRestored(), new_board(archive), tmp_path)
    assert pi.read("/etc/kubernetes/pki/ca.key") == "the key"
    assert pi.mode("/etc/kubernetes/pki/etcd/ca.key") == 0o600
    assert not pi.exists("/etc/kubernetes/admin.conf")


def test_etcdutl_is_found_where_it_is(archive: Path, tmp_path: Path) -> None:
    pi = obeys(EtcdutlThere(), new_board(archive), tmp_path)
    assert pi.read(CHOSEN) == f"{ETCD_IMAGE}\n"


def test_etcdutl_is_pulled_where_kubernetes_has_none(archive: Path, tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = new_board(archive)(folder)
        install_etcd(pi, ("etcdctl",))
        return pi

    pi = obeys(EtcdutlThere(), make, tmp_path)
    assert pi.read(CHOSEN) == f"{UPSTREAM}\n"


def test_etcds_data_is_that_of_the_backup(archive: Path, tmp_path: Path) -> None:
    make = new_board(archive, EtcdutlThere())
    pi = obeys(EtcdRestored(GOAL), make, tmp_path)
    assert json.loads(pi.read(OBJECTS) or "") == NODES
    words = next(argv for argv in pi.ran if "restore" in argv)
    assert "pi7=https://10.0.0.7:2380" in words


def test_data_of_before_is_gone(archive: Path, tmp_path: Path) -> None:
    pi = new_board(archive, EtcdutlThere())(tmp_path / "pi")
    pi.put("/var/lib/etcd/member/wal/0.wal", "half")
    EtcdRestored(GOAL).apply(pi)
    assert pi.listdir("/var/lib/etcd") == ["objects.json"]


def test_the_control_plane_starts_on_it(archive: Path, tmp_path: Path) -> None:
    step = ControlPlaneRestored(GOAL, True)
    steps = (StateRestored(), KeysRestored(), EtcdutlThere(), EtcdRestored(GOAL))
    pi = obeys(step, new_board(archive, *steps, phase=ETCD), tmp_path)
    assert json.loads(pi.read(OBJECTS) or "").keys() >= {"Node//pi7"}
    assert pi.read("/etc/kubernetes/pki/ca.key") == "the key"
    line = next(argv for argv in pi.ran if argv[:2] == ("kubeadm", "init"))
    assert any("preflight" in word for word in line)


def test_a_life_begins_that_is_above_all_that_are_known(archive: Path, tmp_path: Path) -> None:
    pi = obeys(LifeBegun(), new_board(archive, phase=STARTED), tmp_path)
    assert state.life(pi) == int(pi.now())


@pytest.mark.parametrize("where", ["here", "heard", "clock"])
def test_a_clock_that_is_behind_makes_no_earlier_life(
    where: str, archive: Path, tmp_path: Path
) -> None:
    pi = new_board(archive, phase=STARTED)(tmp_path / "pi")
    before = int(pi.now()) + 1000
    if where == "here":
        pi.put(state.LIFE, f"{before}\n")
    if where == "heard":
        peer = Peer(Advert(node="pi2", node_id="22", role="master", life=before), True, 0.0)
        pi.put(PEERS, json.dumps(to_json({"22": peer})))
    if where == "clock":
        pi.clock.seconds -= 7200
        before = laid_out(pi).made
    LifeBegun().apply(pi)
    assert state.life(pi) == before + 1


def test_nothing_is_left_of_it(archive: Path, tmp_path: Path) -> None:
    pi = obeys(RestoreOver(), new_board(archive, phase=STARTED), tmp_path)
    assert not pi.exists(RESTORE)


@pytest.mark.parametrize("step", [EtcdRestored(GOAL), ControlPlaneRestored(GOAL, True)])
def test_what_was_done_is_not_done_again(archive: Path, step: Step, tmp_path: Path) -> None:
    pi = new_board(archive, phase=STARTED)(tmp_path / "pi")
    assert step.check(pi.read_only()) is None
    step.apply(pi)
    assert not any("restore" in argv or "init" in argv for argv in pi.ran)


def test_a_cut_while_it_is_laid_out_leaves_none_or_the_whole(archive: Path, tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    lay_out(pi, archive)
    effects = pi.fake_disk.effects
    for effect in range(1, effects + 1, 3):
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            lay_out(pi, archive)
        pi.power_cut()
        if pi.read(MANIFEST):
            assert content_of(pi, SECRET) is not None
            assert pi.exists(f"{RESTORE}/snapshot.db")
