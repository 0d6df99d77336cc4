"""kubepi/steps/upgrade_problems.py and offered.py: what is in the way, before anything changes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.decide.placing import MASTER
from kubepi.decide.upgrade import OS, Upgrade
from kubepi.errors import NotYet, PreflightFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state, upgrading
from kubepi.steps.offered import kubeadm_versions, offered
from kubepi.steps.upgrade_problems import need_right
from kubepi.steps.upgrading import ATTEMPT
from tests.containerd_programs import CTR
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import objects_of, put_objects
from tests.scene import init_goal, join_goal
from tests.upgrade_scene import NEW, OLD, old_node, old_worker


def node(name: str, version: str = OLD, ready: str = "True") -> dict[str, dict[str, Any]]:
    status = {
        "nodeInfo": {"kubeletVersion": version},
        "conditions": [{"type": "Ready", "status": ready, "message": "no network"}],
    }
    about = {"metadata": {"name": name, "labels": {}}, "spec": {"taints": []}, "status": status}
    return {f"Node//{name}": {"kind": "Node", **about}}


def cluster(folder: Path, **other: str) -> FakePi:
    pi = old_node(folder)
    put_objects(pi, node("pi7") | node("pi8", **other))
    return pi


def told(pi: FakePi, upgrade: Upgrade, goal: Any = None) -> str:
    with pytest.raises(PreflightFailed) as caught:
        need_right(pi, goal or init_goal(), upgrade)
    assert caught.value.hint
    assert pi.ran == []
    return caught.value.sentence


def test_nothing_is_in_the_way(tmp_path: Path) -> None:
    need_right(cluster(tmp_path / "pi"), init_goal(), Upgrade(NEW))


def test_each_thing_in_the_way_is_told(tmp_path: Path) -> None:
    pi = cluster(tmp_path / "pi")
    assert "skipped" in told(pi, Upgrade("v1.37.1"))
    assert "no way back" in told(pi, Upgrade("v1.35.1"))
    pi.free = 10**8
    assert "needs 1500 MB in /var/lib/containerd, 100 MB are free" in told(pi, Upgrade(NEW))
    old = cluster(tmp_path / "old", version="v1.34.1")
    assert told(old, Upgrade(NEW)) == "pi8 is still v1.34.1"


def test_an_ailing_node_is_a_reason_unless_forced(tmp_path: Path) -> None:
    pi = cluster(tmp_path / "pi", ready="False")
    assert told(pi, Upgrade(NEW)) == "pi8 is not Ready: no network"
    need_right(pi, init_goal(), Upgrade(NEW, forced=True))


def test_what_kubeadm_has_begun_is_gone_on_with(tmp_path: Path) -> None:
    pi = cluster(tmp_path / "pi", ready="False")
    upgrading.begin(pi, Upgrade(NEW))
    assert "not Ready" in told(pi, Upgrade(NEW))
    state.begin_attempt(pi, ATTEMPT, "apply --yes")
    need_right(pi, init_goal(), Upgrade(NEW))


def test_one_master_at_a_time(tmp_path: Path) -> None:
    """Where another member of etcd is down, this one stays up, whatever is forced."""
    pi = cluster(tmp_path / "pi")
    for name in ("pi7", "pi8", "pi9"):
        put_objects(pi, node(name))
        label_master(pi, name)
    well = {"pi7": True, "pi8": True, "pi9": True}
    etcd_of(pi, well)
    need_right(pi, init_goal(), Upgrade(NEW))
    etcd_of(pi, well | {"pi9": False})
    for upgrade in (Upgrade(NEW, forced=True), Upgrade(OS)):
        assert told(pi, upgrade).startswith("etcd's member on pi9 is down")
    etcd_of(pi, {"pi7": True, "pi8": True})
    need_right(pi, init_goal(), Upgrade(NEW))


def label_master(pi: FakePi, name: str) -> None:
    about = objects_of(pi)[f"Node//{name}"]
    about["metadata"]["labels"] = {MASTER: ""}
    put_objects(pi, {f"Node//{name}": about})


def etcd_of(pi: FakePi, members: dict[str, bool]) -> None:
    pi.looks(*CTR, "containers", "list", script=lambda pi, argv, stdin: (0, "e7cd"))
    pi.looks(*CTR, "tasks", "list", script=lambda pi, argv, stdin: (0, "e7cd 4711 RUNNING"))
    urls = {name: f"https://{name}:2379" for name in members}
    rows = [
        {"ID": number, "name": name, "peerURLs": [], "clientURLs": [url]}
        for number, (name, url) in enumerate(urls.items(), 1)
    ]
    health = [{"endpoint": url, "health": members[name]} for name, url in urls.items()]

    def asked(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return 0, json.dumps({"members": rows} if "member" in argv else health)

    pi.looks(*CTR, "tasks", "exec", script=asked)


def test_a_worker_comes_behind_its_master(tmp_path: Path) -> None:
    pi = old_worker(tmp_path / "pi")
    with pytest.raises(NotYet):
        need_right(pi, join_goal(), Upgrade(NEW))
    for version in (OLD, NEW):
        advert = Advert(
            node="pi1", node_id="1", role="master", state="ready", kubernetes=version
        )
        pi.put(PEERS, json.dumps(to_json({"1": Peer(advert, True, pi.monotonic())})))
        if version == OLD:
            assert told(pi, Upgrade(NEW), join_goal()) == f"the master pi1 is still {OLD}"
        else:
            need_right(pi, join_goal(), Upgrade(NEW))


def test_what_a_kit_and_what_a_repository_offers(tmp_path: Path) -> None:
    assert offered(old_node(tmp_path / "pi"), init_goal(), OLD) == (OLD, NEW)
    index = (
        "Package: cri-tools\nVersion: 1.36.0-1.1\nArchitecture: arm64\n\n"
        "Package: kubeadm\nArchitecture: arm64\nVersion: 1.36.4-1.1\nDepends: cri-tools\n\n"
        "Package: kubeadm\nVersion: 1.36.3-2.1\nArchitecture: amd64\n\n"
        "Package: kubelet\nVersion: 1.36.9-1.1\n"
    )
    assert kubeadm_versions(index) == ["v1.36.3", "v1.36.4"]
    assert kubeadm_versions("<html>") == []
