"""kubepi/decide/placing.py: whether a master runs ordinary pods."""

from typing import Any

import pytest

from kubepi.decide.placing import MASTER, is_tainted, runs_pods

Object = dict[str, Any]


def node(name: str, *labels: str) -> Object:
    return {"kind": "Node", "metadata": {"name": name, "labels": dict.fromkeys(labels, "")}}


def volume(*nodes: str, key: str = "kubernetes.io/hostname") -> Object:
    rule = {"key": key, "operator": "In", "values": list(nodes)}
    terms = [{"matchExpressions": [rule]}]
    return {"kind": "PersistentVolume", "spec": {"nodeAffinity": {"required": {
        "nodeSelectorTerms": terms}}}}  # fmt: skip


PI1, PI2 = node("pi1", MASTER), node("pi2", MASTER)
WORKER = node("pi3")
SHARED: Object = {"kind": "PersistentVolume", "spec": {"hostPath": {"path": "/mnt/kubepi/a"}}}


@pytest.mark.parametrize(
    ("choice", "objects", "runs"),
    [
        ("auto", [PI1], True),
        ("auto", [PI1, PI2], True),
        ("auto", [PI1, WORKER], False),
        ("auto", [PI1, PI2, WORKER, SHARED], False),
        ("auto", [PI1, WORKER, volume("pi1")], True),
        ("auto", [PI1, WORKER, volume("pi3")], False),
        ("auto", [PI1, WORKER, volume("pi1", key="zone")], False),
        ("yes", [PI1, WORKER], True),
        ("no", [PI1], False),
        ("no", [PI1, volume("pi1")], False),
    ],
)
def test_who_runs_ordinary_pods(choice: str, objects: list[Object], runs: bool) -> None:
    assert runs_pods(choice, "pi1", objects) is runs


@pytest.mark.parametrize(
    ("spec", "is_so"),
    [
        ({}, False),
        ({"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]}, False),
        ({"taints": [{"key": "mine"}, {"key": MASTER, "effect": "NoSchedule"}]}, True),
    ],
)
def test_what_a_taint_is(spec: Object, is_so: bool) -> None:
    assert is_tainted({"spec": spec}) is is_so
