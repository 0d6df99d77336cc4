"""kubepi/steps/more_masters.py: no cut leaves etcd with a member that cannot come back."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.peerbook import Peer
from kubepi.errors import StepFailed, UsageError
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.steps.more_masters import (
    OUT_OF_ETCD,
    KubeadmJoinMaster,
    OutOfEtcd,
    is_one_of_several,
    refuse_breaking,
)
from tests.fakes import Answer, FakePi
from tests.join_programs import CTR, kubelet_works
from tests.laws.test_steps import TO_JOIN, AsRun, Booting, Journaled, after
from tests.scene import TOKEN, fresh_pi, join_master_goal
from tests.steps.lawful import obeys

GOAL = join_master_goal()
JOIN = KubeadmJoinMaster(GOAL, True)
joining = after(*TO_JOIN)
joined = after(*TO_JOIN, JOIN)


class Running(Booting):
    """After a cut the kubelet is at work again."""

    def power_cut(self) -> None:
        super().power_cut()
        kubelet_works(self)


@pytest.mark.parametrize("disk", [Running, Journaled])
def test_a_further_master_joins_whatever_cut_there_was(
    disk: type[Booting], tmp_path: Path
) -> None:
    def make(folder: Path) -> FakePi:
        pi = joining(folder)
        pi.__class__ = disk
        return pi

    pi = obeys(AsRun(KubeadmJoinMaster(GOAL, True)), make, tmp_path)
    assert pi.etcd_elsewhere == {"pi7": "voter"}
    assert not pi.exists(state.WISH)
    assert state.life(pi) == 7, "that of the master: one of before it would step back"


def test_it_leaves_etcd_once(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi = joined(folder)
        pi.__class__ = Booting
        return pi

    pi = obeys(OutOfEtcd(), make, tmp_path)
    assert pi.etcd_elsewhere == {}
    assert pi.exists(OUT_OF_ETCD)


def test_a_dead_etcd_is_left_after_a_while(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    pi.running.discard("kubelet.service")
    before = pi.monotonic()
    OutOfEtcd().apply(pi)
    assert 60 < pi.monotonic() - before < 90
    assert OutOfEtcd().check(pi) is None


def test_no_key_and_no_token_is_in_an_argument_or_left_in_a_file(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    secrets = (TOKEN, "certificateKey", "bootstrapToken")
    assert not [argv for argv in (*pi.ran, *pi.probed) if any(s in " ".join(argv) for s in secrets)]
    left = [name for name, (text, _) in pi.tree().items() if "certificateKey" in text]
    assert left == []


def interrupted(pi: FakePi) -> None:
    state.begin_attempt(pi, "join")
    pi.remove(PEERS)  # after a boot nobody was heard yet


def test_without_the_masters_word_nothing_is_wiped(tmp_path: Path) -> None:
    """A second master that votes cannot be taken out by the first one, and holds the data."""
    pi = joined(tmp_path / "pi")
    interrupted(pi)
    pi.put("/etc/kubernetes/manifests/etcd.yaml", "")
    before = [argv for argv in pi.ran if "reset" in argv]
    with pytest.raises(StepFailed, match="has not said yet that this Pi may join as a master"):
        KubeadmJoinMaster(GOAL, True).apply(pi)
    assert [argv for argv in pi.ran if "reset" in argv] == before
    assert not pi.exists(state.WISH)
    assert pi.exists("/var/lib/etcd/member/wal")


def test_a_learner_is_not_waited_for(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    interrupted(pi)
    pi.etcd_elsewhere["pi7"] = "learner"
    before = pi.monotonic()
    KubeadmJoinMaster(GOAL, True).apply(pi)
    assert pi.etcd_elsewhere == {"pi7": "voter"}
    assert pi.monotonic() - before < 60


# --- leaving ------------------------------------------------------------------------------


def etcd_says(pi: FakePi, alive: str, dead: str = "", quorum: bool = True) -> None:
    """The members by name: pi7 is this one."""
    names = [*alive.split(), *dead.split()]

    def answer(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "list" in argv:
            rows = [{"ID": n, "name": name, "peerURLs": [f"https://{name}:2380"],
                     "clientURLs": [f"https://{name}:2379"]} for n, name in enumerate(names)]
            return (0, json.dumps({"members": rows})) if quorum else (1, "deadline exceeded")
        healthy = [{"endpoint": f"https://{name}:2379", "health": name in alive.split()}
                   for name in names]  # fmt: skip
        return 0, json.dumps(healthy)

    pi.looks(*CTR, "tasks", "exec", script=answer)


def hear_master(pi: FakePi) -> None:
    ca = (Path(__file__).parents[1] / "unit" / "golden" / "ca.crt").read_text()
    pi.put("/etc/kubernetes/pki/ca.crt", ca)
    advert = Advert(node="pi1", node_id="aa", role="master", state="ready", ca_hash=ca_hash(ca),
                    endpoint="home.kubepi.internal:6443")  # fmt: skip
    state.write_json(pi, PEERS, to_json({"aa": Peer(advert, True, pi.monotonic())}))


@pytest.mark.parametrize(
    ("alive", "dead", "refused"),
    [
        ("pi1 pi7", "", ""),
        ("pi1 pi2 pi7", "", ""),
        ("pi1 pi7", "pi2", "without this master etcd has no quorum: pi2 would have to answer"),
    ],
)
def test_a_reset_that_breaks_the_quorum_is_refused(
    alive: str, dead: str, refused: str, tmp_path: Path
) -> None:
    pi = joined(tmp_path / "pi")
    etcd_says(pi, alive, dead)
    assert is_one_of_several(pi)
    if refused:
        with pytest.raises(UsageError, match=refused):
            refuse_breaking(pi)
    else:
        refuse_breaking(pi)


def test_an_etcd_that_runs_without_a_quorum_needs_this_master(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    hear_master(pi)
    etcd_says(pi, "pi1 pi7", quorum=False)
    assert is_one_of_several(pi)
    with pytest.raises(UsageError, match="there would never be one again"):
        refuse_breaking(pi)


def test_a_master_whose_own_etcd_is_dead_may_go(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    hear_master(pi)
    pi.running.discard("kubelet.service")
    assert is_one_of_several(pi)
    refuse_breaking(pi)


def test_one_that_a_restore_left_behind_leaves_by_the_others(tmp_path: Path) -> None:
    """Its own etcd is stopped; the cluster that goes on has its Node."""
    pi = fresh_pi(tmp_path / "pi")
    assert not is_one_of_several(pi)
    pi.put(state.REPLACED, "10.0.0.9 older\n")
    assert is_one_of_several(pi)
    pi.put(state.REPLACED, "10.0.0.9\n")
    assert not is_one_of_several(pi)


def test_the_only_master_and_a_worker_are_not_one_of_several(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    etcd_says(pi, "pi7")
    assert not is_one_of_several(pi)
    pi.remove("/etc/kubernetes/manifests/etcd.yaml")
    assert not is_one_of_several(pi)


def test_the_share_does_not_end_with_one_of_several(tmp_path: Path) -> None:
    pi = joined(tmp_path / "pi")
    etcd_says(pi, "pi1 pi7")
    pi.put(state.SHARE, "10.0.0.7:/srv/kubepi /mnt/kubepi\n")
    state.save_goal(pi, GOAL)
    with pytest.raises(UsageError, match="serves the share"):
        refuse_breaking(pi)
