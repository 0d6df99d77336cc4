"""Cordoned, Drained and NodeInService: what blocks is told, what was there before comes back."""

from pathlib import Path
from typing import Any

import pytest

from kubepi.decide.disabled import ANNOTATION, Disabled
from kubepi.errors import StepFailed
from kubepi.machine import disabled
from kubepi.steps.cordon import Cordoned, Drained, NodeInService
from tests.fakes import FakePi
from tests.kubernetes_programs import objects_of, put_objects
from tests.scene import master
from tests.steps.lawful import obeys

NODE = "Node//pi7"


def pod(name: str, owner: str = "ReplicaSet", **more: object) -> dict[str, dict[str, Any]]:
    owners = [{"kind": owner}] if owner else []
    about = {"name": name, "namespace": "web", "ownerReferences": owners}
    return {f"Pod/web/{name}": {"kind": "Pod", "metadata": about, **more}}


def on_a_node(*pods: dict[str, dict[str, Any]], **node: object) -> Any:
    def make(folder: Path) -> FakePi:
        pi = master(folder)
        objects: dict[str, dict[str, Any]] = {NODE: {"metadata": {"name": "pi7"}, **node}}
        for more in pods:
            objects |= more
        put_objects(pi, objects)
        pi.fake_disk.make_all_durable()
        return pi

    return make


def node_of(pi: FakePi) -> dict[str, Any]:
    return objects_of(pi)[NODE]


@pytest.mark.parametrize(("whole", "word"), [(False, "alone"), (True, "with-all")])
def test_cordoned(whole: bool, word: str, tmp_path: Path) -> None:
    pi = obeys(Cordoned(whole, False), on_a_node(), tmp_path)
    assert node_of(pi)["spec"]["unschedulable"] is True
    assert node_of(pi)["metadata"]["annotations"] == {ANNOTATION: word}


def test_in_service_again(tmp_path: Path) -> None:
    def make(folder: Path) -> FakePi:
        pi: FakePi = on_a_node()(folder)
        Cordoned(False, False).apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    pi = obeys(NodeInService(), make, tmp_path)
    assert node_of(pi) == {"metadata": {"name": "pi7"}}


def test_who_cordoned_it_before_finds_it_cordoned(tmp_path: Path) -> None:
    pi: FakePi = on_a_node(spec={"unschedulable": True})(tmp_path / "pi")
    before = objects_of(pi)
    Cordoned(False, False).apply(pi)
    NodeInService().apply(pi)
    assert objects_of(pi) == before


def without_api(folder: Path) -> FakePi:
    pi: FakePi = on_a_node()(folder)
    pi.looks("kubectl", script=lambda pi, argv, stdin: (1, "connection refused"))
    disabled.begin(pi, Disabled())
    return pi


def test_an_api_that_does_not_answer_stops_one_node(tmp_path: Path) -> None:
    pi = without_api(tmp_path / "pi")
    with pytest.raises(StepFailed, match=r"cannot be cordoned.*the API") as caught:
        Cordoned(False, False).apply(pi)
    assert "--force" in caught.value.hint


@pytest.mark.parametrize(("whole", "forced"), [(True, False), (False, True)])
def test_but_not_one_that_goes_with_all_others(whole: bool, forced: bool, tmp_path: Path) -> None:
    pi = without_api(tmp_path / "pi")
    Cordoned(whole, forced).apply(pi)
    assert Cordoned(whole, forced).check(pi.read_only()) is None
    assert Drained(forced).check(pi.read_only()) is None, "there is nobody to ask for pods"


# --- drained ------------------------------------------------------------------------------------

STAYS = {**pod("flannel", "DaemonSet"), **pod("etcd", "Node")}
STAYS["Pod/web/etcd"]["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}


def test_drained(tmp_path: Path) -> None:
    pi = obeys(Drained(False), on_a_node(pod("a"), pod("b", "StatefulSet"), STAYS), tmp_path)
    assert {key for key in objects_of(pi) if key.startswith("Pod")} == set(STAYS)


def test_a_disruption_budget_is_told(tmp_path: Path) -> None:
    pi: FakePi = on_a_node(pod("a"), pod("b", kept=True))(tmp_path / "pi")
    with pytest.raises(StepFailed, match=r"web/b: Cannot evict pod.*disruption budget") as caught:
        Drained(False).apply(pi)
    assert "kubepi enable" in caught.value.hint
    assert "Pod/web/a" not in objects_of(pi)
    Drained(True).apply(pi)
    assert Drained(True).check(pi.read_only()) is None


def test_a_bare_pod_is_named_before_any_pod_goes(tmp_path: Path) -> None:
    pi: FakePi = on_a_node(pod("a"), pod("mine", owner=""))(tmp_path / "pi")
    with pytest.raises(StepFailed, match=r"nobody would start.*: web/mine$"):
        Drained(False).apply(pi)
    assert "Pod/web/a" in objects_of(pi)
    Drained(True).apply(pi)
    assert not [key for key in objects_of(pi) if key.startswith("Pod")]


def test_pods_that_ended_or_go_already_are_not_asked(tmp_path: Path) -> None:
    ended = pod("job", owner="", status={"phase": "Succeeded"})
    going = pod("late")
    going["Pod/web/late"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    pi: FakePi = on_a_node(ended, going)(tmp_path / "pi")
    with pytest.raises(StepFailed, match="web/late is on its way"):
        Drained(False).apply(pi)
    assert not [argv for argv in pi.ran if "eviction" in " ".join(argv)]
