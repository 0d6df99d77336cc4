"""kubepi/addons.py: what counts as a difference to the API, and what cannot be changed there."""

from typing import Any

import pytest

from kubepi.addons import differs, settled


@pytest.mark.parametrize(
    ("wanted", "found", "where"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 1, "status": {}}, None),
        ({"a": 1}, {"a": 2}, ".a"),
        ({"a": 1}, {}, ".a"),
        ({"a": {"b": {"c": "x"}}}, {"a": {"b": {"c": "y"}}}, ".a.b.c"),
        ({"a": {"b": 1}}, {"a": 1}, ".a"),
        ({"a": 1}, [], "object"),
        # what the API leaves out because it is empty
        ({"a": {}, "b": [], "c": "", "d": None}, {}, None),
        ({"a": []}, {"a": [1]}, ".a"),
        ({"a": {}}, {"a": {"b": 1}}, None),
        ({"a": False}, {}, ".a"),
        ({"a": 0}, {}, ".a"),
        # lists as a whole, item by item
        ({"a": [1, 2]}, {"a": [1, 2]}, None),
        ({"a": [1, 2]}, {"a": [2, 1]}, ".a[0]"),
        ({"a": [1]}, {"a": [1, 2]}, ".a"),
        ({"a": [1]}, {"a": {}}, ".a"),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "x", "default": 1}]}, None),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 3}]}, ".a[1].n"),
        ("x", "x", None),
        ("x", "y", ""),
    ],
)
def test_differs(wanted: Any, found: Any, where: str | None) -> None:
    assert differs(wanted, found) == where


def test_a_claim_that_is_there_keeps_what_it_asked_for() -> None:
    """The default class is another one once there is a share, and a claim's class is for ever."""
    claims = [
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "x"},
         "spec": {"storageClassName": name, "accessModes": ["ReadWriteOnce"]}}
        for name in ("kubepi-nfs", "kubepi-local")
    ]  # fmt: skip
    wanted, found = claims
    assert settled([wanted], [found]) == [found]
    assert settled([wanted], []) == [wanted]
    sets = [
        {"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "x"},
         "spec": {"replicas": n, "volumeClaimTemplates": [claim]}}
        for n, claim in enumerate(claims)
    ]  # fmt: skip
    (result,) = settled([sets[0]], [sets[1]])
    assert result["spec"] == {"replicas": 0, "volumeClaimTemplates": [found]}
