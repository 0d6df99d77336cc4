"""kubepi/cluster/etcd.py and containers.py: etcd's members, through containerd alone."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.cluster import etcd
from kubepi.cluster.containers import running
from kubepi.decide.quorum import Member
from kubepi.errors import CommandFailed, NotYet
from tests.fakes import Answer, FakePi

CTR = ("ctr", "--namespace", "k8s.io")
TASKS = "TASK    PID     STATUS\ne7cd    1234    RUNNING\nold     0       STOPPED\n"
# as etcdctl 3.6.8 prints them; ids are larger than what a double holds
MEMBERS = {"members": [
    {"ID": 12096022519474310201, "name": "pi1", "peerURLs": ["https://10.0.0.1:2380"],
     "clientURLs": ["https://10.0.0.1:2379"]},
    {"ID": 2, "name": "pi2", "peerURLs": ["https://10.0.0.2:2380"],
     "clientURLs": ["https://10.0.0.2:2379"]},
    {"ID": 3, "peerURLs": ["https://10.0.0.3:2380"], "isLearner": True},
]}  # fmt: skip
HEALTH = [
    {"endpoint": "https://10.0.0.1:2379", "health": True, "took": "9ms"},
    {"endpoint": "https://10.0.0.2:2379", "health": False, "error": "deadline exceeded"},
]


class Master(FakePi):
    """`said`: what etcdctl answers, by its two words."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.said: dict[str, Answer] = {
            "member list": (0, json.dumps(MEMBERS)),
            "endpoint health": (0, json.dumps(HEALTH)),
            "endpoint status": (0, json.dumps([{"Status": {"isLearner": True}}])),
            "member remove": (0, "Member 2 removed"),
        }
        self.looks(*CTR, "tasks", "list", script=lambda pi, argv, stdin: (0, TASKS))
        self.looks(*CTR, "containers", "list", script=lambda pi, argv, stdin: (0, "old\ne7cd\n"))
        self.looks(*CTR, "tasks", "exec", script=self._etcdctl)

    def _etcdctl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        words = list(argv[argv.index("etcdctl") + 1 :])
        assert words[0] == "--endpoints=https://127.0.0.1:2379"
        verbs = [word for word in words if not word.startswith("-")]
        return self.said[" ".join(verbs[:2])]


@pytest.fixture
def pi(tmp_path: Path) -> Master:
    return Master(tmp_path)


def test_every_member_is_told_with_its_whole_id(pi: Master) -> None:
    assert etcd.members(pi) == [
        Member("a7ddb464dc644c39", "pi1", ("https://10.0.0.1:2380",), False,
               ("https://10.0.0.1:2379",)),
        Member("2", "pi2", ("https://10.0.0.2:2380",), False, ("https://10.0.0.2:2379",)),
        Member("3", "", ("https://10.0.0.3:2380",), True),
    ]  # fmt: skip


def test_who_answers_is_alive(pi: Master) -> None:
    assert [member.alive for member in etcd.asked_members(pi)] == [True, False, False]
    pi.said["endpoint health"] = (0, "no JSON at all")
    assert [member.alive for member in etcd.asked_members(pi)] == [False, False, False]


def test_only_a_container_that_runs_is_asked(pi: Master) -> None:
    assert running(pi, ["etcd"]) == ["e7cd"]
    etcd.members(pi)
    asked = pi.probed[-1]
    assert asked[: asked.index("etcdctl")][-1] == "e7cd"
    pi.looks(*CTR, "containers", "list", script=lambda pi, argv, stdin: (0, "old\n"))
    with pytest.raises(NotYet, match="etcd"):
        etcd.members(pi)
    assert not etcd.is_learner(pi)


def test_without_a_quorum_nothing_is_known(pi: Master) -> None:
    pi.said["member list"] = (1, "context deadline exceeded")
    with pytest.raises(NotYet):
        etcd.members(pi)


def test_a_learner_says_that_it_is_one(pi: Master) -> None:
    assert etcd.is_learner(pi)
    pi.said["endpoint status"] = (0, json.dumps([{"Status": {}}]))
    assert not etcd.is_learner(pi)


def test_a_node_is_taken_out_by_its_name(pi: Master) -> None:
    assert etcd.forget_node(pi, "pi2")
    assert pi.ran[-1][-3:] == ("member", "remove", "2")
    assert not etcd.forget_node(pi, "pi9")
    assert len(pi.ran) == 1


def test_one_that_is_out_already_is_fine_and_a_lost_quorum_is_not(pi: Master) -> None:
    pi.said["member remove"] = (1, "Error: etcdserver: member not found")
    assert etcd.forget_node(pi, "pi2")
    pi.said["member remove"] = (1, "etcdserver: re-configuration failed due to not enough started")
    with pytest.raises(CommandFailed):
        etcd.forget_node(pi, "pi2")
