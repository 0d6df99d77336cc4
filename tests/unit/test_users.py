"""kubepi/cluster/users.py: who uses the share, found by claims; stopped and started again."""

import json
from typing import Any

import pytest

from kubepi.cluster import users
from kubepi.decide.move import User


def claim(name: str, kind: str = "kubepi-nfs", namespace: str = "default") -> dict[str, Any]:
    return {
        "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": {"storageClassName": kind},
    }  # fmt: skip


def pod_spec(*claims: str) -> dict[str, Any]:
    return {"volumes": [{"persistentVolumeClaim": {"claimName": name}} for name in claims]}


def workload(kind: str, name: str, *claims: str, **spec: Any) -> dict[str, Any]:
    template = {"template": {"spec": pod_spec(*claims)}}
    if kind == "CronJob":
        template = {"jobTemplate": {"spec": template}}
    return {
        "kind": kind, "metadata": {"name": name, "namespace": "default"},
        "spec": {**template, **spec}, "status": {},
    }  # fmt: skip


def pod(name: str, *claims: str, owner: str = "", phase: str = "Running") -> dict[str, Any]:
    owners = {"ownerReferences": [{"kind": owner}]} if owner else {}
    return {
        "kind": "Pod", "metadata": {"name": name, "namespace": "default", **owners},
        "spec": pod_spec(*claims), "status": {"phase": phase},
    }  # fmt: skip


CLAIMS = [claim("data"), claim("db", "kubepi-local"), claim("data", namespace="other")]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (workload("Deployment", "web", "data", replicas=2), [("Deployment", 2)]),
        (workload("Deployment", "web", "data", replicas=0), []),
        (workload("Deployment", "web", "db", replicas=1), []),
        (workload("Deployment", "web", replicas=1), []),
        (workload("StatefulSet", "db", "data", replicas=1), [("StatefulSet", 1)]),
        (workload("DaemonSet", "log", "data"), [("DaemonSet", -1)]),
        (workload("CronJob", "night", "data"), [("CronJob", -1)]),
        (workload("CronJob", "night", "data", suspend=True), []),
        (workload("ReplicaSet", "old", "data", replicas=3), [("ReplicaSet", 3)]),
    ],
)
def test_who_uses_the_share(item: dict[str, Any], found: list[tuple[str, int]]) -> None:
    seen = [(user.kind, user.replicas) for user in users.users([*CLAIMS, item])]
    assert seen == found


def test_what_has_an_owner_is_left_to_it() -> None:
    owned = workload("ReplicaSet", "web-1", "data", replicas=2)
    owned["metadata"]["ownerReferences"] = [{"kind": "Deployment"}]
    assert users.users([*CLAIMS, owned]) == []


def test_a_statefulsets_own_claims_are_known_by_their_names() -> None:
    templates = [{"metadata": {"name": "data"}, "spec": {}}]
    item = workload("StatefulSet", "db", replicas=1, volumeClaimTemplates=templates)
    assert users.users([item, claim("data-db-0")])
    assert not users.users([item, claim("data-db-0", "kubepi-local")])
    assert not users.users([item, claim("data-dbx-0")])
    assert not users.users([item, claim("data-db-x")])


def test_what_nobody_would_start_again_is_named() -> None:
    job = workload("Job", "once", "data")
    over = workload("Job", "over", "data")
    over["status"] = {"completionTime": "2026-01-01T00:00:00Z"}
    failed = workload("Job", "bad", "data")
    failed["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    pods = [
        pod("bare", "data"), pod("ended", "data", phase="Succeeded"),
        pod("owned", "data", owner="ReplicaSet"), pod("other", "db"),
    ]  # fmt: skip
    found = users.loners([*CLAIMS, job, over, failed, *pods])
    assert found == ["Job default/once", "Pod default/bare"]
    at_work = users.pods_at_work([*CLAIMS, *pods])
    assert at_work == ["default/bare", "default/owned"]


def test_a_stopped_daemonset_is_told_from_one_at_work() -> None:
    item = workload("DaemonSet", "log", "data")
    item["spec"]["template"]["spec"]["nodeSelector"] = dict(users.NOWHERE)
    assert users.users([*CLAIMS, item]) == []


@pytest.mark.parametrize(
    ("kind", "stopped", "started"),
    [
        ("Deployment", {"replicas": 0}, {"replicas": 3}),
        ("DaemonSet", {"template": {"spec": {"nodeSelector": users.NOWHERE}}},
         {"template": {"spec": {"nodeSelector": {"kubepi.io/share-moves": None}}}}),
        ("CronJob", {"suspend": True}, {"suspend": False}),
    ],
)  # fmt: skip
def test_stop_and_start_are_one_patch_each(
    kind: str, stopped: dict[str, Any], started: dict[str, Any], api: "Api"
) -> None:
    user = User(kind, "default", "web", 3)
    users.stop(api.pi, user)
    users.start(api.pi, user)
    assert api.patches == [{"spec": stopped}, {"spec": started}]


class Api:
    """A Pi whose kubectl remembers what it is told."""

    def __init__(self, pi: Any) -> None:
        self.pi = pi
        self.patches: list[dict[str, Any]] = []
        pi.changes("kubectl", script=self._kubectl)

    def _kubectl(self, pi: Any, argv: Any, stdin: str) -> tuple[int, str]:
        self.patches.append(json.loads(argv[list(argv).index("-p") + 1]))
        return 0, ""


@pytest.fixture
def api(tmp_path: Any) -> Api:
    from tests.fakes import FakePi

    return Api(FakePi(tmp_path, {"/etc/kubernetes/admin.conf": "admin"}))
