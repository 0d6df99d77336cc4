"""kubepi/steps/addon_removal.py: what goes, in which order, what stays, and who is asked first."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.addons import LABEL
from kubepi.cluster.objects import KEPT
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.records import Record, installed_addons, read_record, write_record
from kubepi.steps.addon_removal import AddonAbsent
from kubepi.steps.addons import make_secret, secret_of
from tests.addon_scene import having, online, store, stored
from tests.fakes import Answer, FakePi
from tests.steps.lawful import obeys


def with_a_secret(pi: FakePi) -> None:
    make_secret(pi, secret_of("hello", "key"))
    record = read_record(pi, "hello")
    assert record is not None
    write_record(pi, "hello", Record(record.version, record.kinds, ("key",)))


@pytest.mark.parametrize("keeps_data", [False, True])
def test_a_removal_obeys_the_laws(keeps_data: bool, tmp_path: Path) -> None:
    step = AddonAbsent("hello", keeps_data)
    pi = obeys(step, having("hello", "flannel", also=with_a_secret), tmp_path)
    left = [name for name, item in stored(pi).items()
            if "flannel" not in item["metadata"]["labels"].values()]  # fmt: skip
    kept = ["Namespace//hello", "PersistentVolumeClaim/hello/counter"]
    assert sorted(left) == (kept if keeps_data else [])
    for name in left:
        labels = stored(pi)[name]["metadata"]["labels"]
        assert labels[KEPT] == "hello"
        assert LABEL not in labels
    assert installed_addons(pi) == []
    # of use with the data only
    assert pi.exists(state.secret_file(secret_of("hello", "key"))) is keeps_data


def test_what_kept_its_data_takes_it_up_again(tmp_path: Path) -> None:
    pi = having("hello")(tmp_path / "pi")
    AddonAbsent("hello", keeps_data=True).apply(pi)
    step = online("hello")
    step.apply(pi)
    assert step.check(pi.read_only()) is None
    labels = stored(pi)["PersistentVolumeClaim/hello/counter"]["metadata"]["labels"]
    assert labels[LABEL] == "hello"
    assert KEPT not in labels


def test_a_class_with_claims_of_others_stays(tmp_path: Path) -> None:
    pi = having("local-path-provisioner")(tmp_path / "pi")
    meta = {"name": "data", "namespace": "default"}
    spec = {"storageClassName": "kubepi-local"}
    store(pi, {"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    before = stored(pi)
    with pytest.raises(StepFailed, match="claims that are still there: default/data"):
        AddonAbsent("local-path-provisioner", keeps_data=False).apply(pi)
    assert stored(pi) == before


def test_the_end_of_its_volumes_is_waited_for(tmp_path: Path) -> None:
    """Their provisioner may be the next to go, and nobody would tidy up the disk."""
    pi = having("hello")(tmp_path / "pi")
    claim = stored(pi)["PersistentVolumeClaim/hello/counter"]
    claim["spec"]["volumeName"] = "pvc-1"
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pvc-1"},
              "spec": {"persistentVolumeReclaimPolicy": "Delete"}}  # fmt: skip
    store(pi, claim, volume)
    with pytest.raises(StepFailed, match="last seen: the volume pvc-1 is still there"):
        AddonAbsent("hello", keeps_data=False, patience=5).apply(pi)
    assert read_record(pi, "hello") is not None
    volume["spec"] = {"persistentVolumeReclaimPolicy": "Retain"}
    store(pi, claim, volume)
    AddonAbsent("hello", keeps_data=False, patience=5).apply(pi)
    assert read_record(pi, "hello") is None


def test_what_goes_first_and_last(tmp_path: Path) -> None:
    pi = having("metrics-server", "hello")(tmp_path / "pi")
    inner, sent = pi.programs[("kubectl",)].script, []

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "delete" in argv:
            sent.append([item["kind"] for item in json.loads(stdin)["items"]])
        answer = inner(pi, argv, stdin)
        assert isinstance(answer, tuple)
        return answer

    pi.looks("kubectl", script=kubectl)
    AddonAbsent("metrics-server").apply(pi)
    AddonAbsent("hello", keeps_data=False).apply(pi)
    assert [kinds[0] for kinds in sent] == ["APIService", "HorizontalPodAutoscaler"]
    assert sent[1][-1] == "Namespace"
