"""Three masters from one minor of Kubernetes to the next, while an application writes and answers.

`tests/run --long upgrade`.
"""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import masters
import pytest
from life import Load, apply_life, wait_answers
from masters import MASTERS, Writes, kubectl, voters, wait_whole
from pis import Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("upgrade")]
OLD, NEW = "v1.35.4", "v1.36.3"
LEFT_OVER = {"upgrade.json", "before-upgrade", "attempt-upgrade", "pending"}
SYSTEM = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@pytest.fixture
def pis(pyz: Path) -> Iterator[Pis]:
    """Three masters of the older minor that run an application."""
    pis = Pis()
    try:
        pis.up(len(MASTERS))
        pis.push(pyz)
        masters.begin(pis, "--kubernetes", "1.35")
        assert versions(pis) == dict.fromkeys(MASTERS, OLD)
        apply_life(pis)
        wait_answers(pis, "pi1")
        yield pis
    finally:
        pis.down()


def versions(pis: Pis) -> dict[str, str]:
    """Of the kubelets that are in service."""
    items = json.loads(kubectl(pis, "pi1", "get", "nodes", "-o", "json"))["items"]
    return {
        i["metadata"]["name"]: i["status"]["nodeInfo"]["kubeletVersion"]
        for i in items
        if not i["spec"].get("unschedulable")
    }


def running(pis: Pis) -> dict[str, set[str]]:
    """Images of what Kubernetes itself runs on each node."""
    words = ("-n", "kube-system", "get", "pods", "-o", "json")
    found: dict[str, set[str]] = {node: set() for node in MASTERS}
    for pod in json.loads(kubectl(pis, "pi1", *words))["items"]:
        if node := pod["spec"].get("nodeName"):
            found[node] |= {c["image"] for c in pod["spec"]["containers"]}
    return found


def is_of_the_new(pis: Pis) -> bool | None:
    """kube-proxy is replaced once the last master is upgraded, on one node after the other."""
    wanted = {f"registry.k8s.io/{name}:{NEW}" for name in SYSTEM}
    return True if all(wanted <= images for images in running(pis).values()) else None


def test_three_masters_while_writes_go_on(pis: Pis) -> None:
    start = time.monotonic()
    with Writes(pis, "pi1") as writes, Load(pis, "pi1") as load:
        done = pis.run("pi3", "kubepi", "upgrade", "--all", timeout=3000)
        seconds = time.monotonic() - start
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert f"All nodes are {NEW}." in done.stdout
    print(f"\n{OLD} to {NEW}, three masters: {seconds:.0f} s; {writes}; {load}")
    print(done.stderr)
    need_upgraded(pis)
    assert writes.last_kept() >= writes.written[-1][1], "what was answered is there"
    assert writes.failed < len(writes.written) / 5, writes
    assert len(load.failures) < load.answers / 20, load
    again = pis.run("pi2", "kubepi", "upgrade", "--all")
    assert again.returncode == 0, again.stderr
    assert f"All nodes are {NEW}." in again.stdout


def need_upgraded(pis: Pis) -> None:
    """All three, with etcd's three members, and nothing left of it."""
    wait_whole(pis, MASTERS, MASTERS)
    assert versions(pis) == dict.fromkeys(MASTERS, NEW)
    wait_for(f"all of {NEW}", partial(is_of_the_new, pis), 180)
    for node in MASTERS:
        assert voters(pis, node) == set(MASTERS)
        verb = "init" if node == "pi1" else "join"
        done = pis.run(node, "kubepi", verb)
        assert done.returncode == 0, done.stderr
        assert "nothing was changed" in done.stdout, done.stderr
        assert not LEFT_OVER & set(pis.ask(node, "ls", "/var/lib/kubepi").split())
    wait_answers(pis, "pi1")
