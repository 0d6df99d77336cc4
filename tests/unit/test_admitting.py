"""kubepi/agent/admitting.py: what a master does before another Pi joins as a master."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubepi.agent.obeying import Obeying
from kubepi.decide.adverts import Advert
from kubepi.decide.credentials import certificate_key
from kubepi.decide.goal import Secret
from kubepi.decide.peerbook import Book, Peer
from kubepi.decide.wish import ADD_MASTER
from kubepi.log import Log
from kubepi.machine import state
from tests.fakes import Answer, FakePi
from tests.scene import TOKEN, VERSION, init_goal, join_goal

NUMBER = "0123456789abcdef"
ASKER = Advert(node="pi3", node_id="cc", address="10.0.0.3", role="master", state="joining",
               wish=f"{NUMBER} {ADD_MASTER} pi1", time=1_800_000_000)  # fmt: skip
OTHER = replace(ASKER, node="pi2", node_id="bb", address="10.0.0.2", wish="")
KEY = certificate_key(TOKEN)


class Master(FakePi):
    """pi1, with the members of etcd by name; `~` is a learner, `-` one that is dead."""

    def __init__(self, folder: Path) -> None:
        (folder / "root").mkdir()
        super().__init__(folder / "root")
        self.log = Log(folder / "log")
        state.save_goal(self, init_goal())
        state.save_secret(self, Secret("token"), TOKEN)
        self.put(state.WAS_MASTER, "")
        self.put(state.PINNED_VERSION, VERSION)
        self.members = ["pi1"]
        self.uploaded: list[dict[str, object]] = []
        ctr = ("ctr", "--namespace", "k8s.io")
        self.looks(*ctr, "tasks", "list", script=lambda pi, argv, stdin: (0, "e 1 RUNNING"))
        self.looks(*ctr, "containers", "list", script=lambda pi, argv, stdin: (0, "e"))
        self.looks(*ctr, "tasks", "exec", script=self._etcdctl)
        self.changes("kubeadm", "init", "phase", "upload-certs", script=self._upload)

    def _etcdctl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        rows = [
            {"ID": int(name[2]), "name": name[:3], "isLearner": "~" in name,
             "peerURLs": [f"https://10.0.0.{name[2]}:2380"], "clientURLs": [f"url-{name[:3]}"]}
            for name in self.members
        ]  # fmt: skip
        if "remove" in argv:
            self.members = [name for name in self.members if name[2] != argv[-1]]
        if "health" in argv:
            return 0, json.dumps([{"endpoint": f"url-{name[:3]}", "health": "-" not in name}
                                  for name in self.members])  # fmt: skip
        return 0, json.dumps({"members": rows})

    def _upload(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        config = Path(argv[argv.index("--config") + 1])
        assert config.stat().st_mode & 0o777 == 0o600
        self.uploaded = list(yaml.safe_load_all(config.read_text()))
        return 0, f"[upload-certs] Using certificate key: {KEY}"


@pytest.fixture
def pi(tmp_path: Path) -> Master:
    return Master(tmp_path)


def asks(pi: FakePi, *others: Advert) -> Book:
    return {a.node_id: Peer(a, True, pi.monotonic()) for a in (ASKER, *others)}


def answered(pi: Master, *others: Advert) -> bool:
    Obeying(pi).do(asks(pi, *others), "pi1")
    return (pi.read(state.ANSWER) or "").strip() == NUMBER


def test_the_certificates_are_uploaded_and_it_is_said(pi: Master, tmp_path: Path) -> None:
    assert answered(pi)
    init, cluster = pi.uploaded
    assert init["certificateKey"] == KEY
    assert cluster["kubernetesVersion"] == VERSION
    assert KEY not in str(pi.ran)
    assert KEY not in (tmp_path / "log").read_text()
    assert [name for name in pi.tree() if "upload-certs" in name] == []
    assert not pi.exists(f"{state.RUN}/upload-certs.yaml")


@pytest.mark.parametrize(
    ("members", "left"),
    [
        (["pi1", "pi3~"], ["pi1"]),
        (["pi1", "pi2", "pi3-"], ["pi1", "pi2"]),
        (["pi1", "pi2", "pi3"], ["pi1", "pi2"]),
        (["pi1", "pi9~"], ["pi1"]),
    ],
    ids=["its learner", "its dead member", "its living member", "somebody's lost learner"],
)
def test_what_an_earlier_attempt_left_goes_first(
    members: list[str], left: list[str], pi: Master
) -> None:
    pi.members = members
    assert answered(pi)
    assert pi.members == left


def test_etcd_is_never_left_without_a_quorum(pi: Master, tmp_path: Path) -> None:
    pi.members = ["pi1", "pi2-", "pi3"]
    assert not answered(pi)
    assert pi.members == ["pi1", "pi2-", "pi3"]
    assert "etcd cannot do without its member pi3" in (tmp_path / "log").read_text()


def test_masters_are_taken_one_by_one(pi: Master) -> None:
    pi.members = ["pi1", "pi2~"]
    obeying, heard = Obeying(pi), asks(pi, OTHER)
    obeying.do(heard, "pi1")
    assert not pi.exists(state.ANSWER)
    assert obeying.wanted(heard, "pi1"), "it is asked for still"
    pi.members = ["pi1", "pi2"]
    obeying.do(heard, "pi1")
    assert pi.exists(state.ANSWER)
    assert pi.members == ["pi1", "pi2"]


def test_a_worker_admits_nobody(pi: Master) -> None:
    state.save_goal(pi, join_goal())
    assert not answered(pi)
    assert pi.ran == []
