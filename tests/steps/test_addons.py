"""kubepi/steps/addons.py, addon_removal.py: applied, ready, gone; what is refused, what stays."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.addons import LABEL, addon_images, read_addon, render
from kubepi.cluster.objects import KEPT, labelled
from kubepi.cluster.workloads import missing_pods, stuck_because
from kubepi.decide.addons import values_of
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.records import Record, installed_addons, read_record, write_record
from kubepi.steps.addon_removal import AddonAbsent
from kubepi.steps.addons import AddonApplied, AddonReady, make_secret, secret_of
from tests.containerd_programs import holds
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import OBJECTS
from tests.scene import fresh_pi, init_goal, master, settings
from tests.steps.lawful import MakePi, obeys

ADMIN = "/etc/kubernetes/admin.conf"
FLANNEL = AddonApplied("flannel", init_goal())
HELLO = AddonApplied("hello", init_goal())


def online(addon: str, **changes: object) -> AddonApplied:
    return AddonApplied(addon, init_goal(downloads__kit="", **changes))


def stored(pi: FakePi) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(pi.read(OBJECTS) or "{}")
    return found


def store(pi: FakePi, *items: dict[str, Any]) -> None:
    there = stored(pi)
    for item in items:
        meta = item["metadata"]
        there[f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"] = item
    pi.put(OBJECTS, json.dumps(there))


def having(*addons: str, also: Callable[[FakePi], None] | None = None) -> MakePi:
    def make(folder: Path) -> FakePi:
        pi = master(folder)
        for addon in addons:
            online(addon).apply(pi)
        if also is not None:
            also(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make


# --- applied --------------------------------------------------------------------------------


@pytest.mark.parametrize("addon", ["flannel", "access", "metrics-server", "hello"])
def test_an_add_on_obeys_the_laws(addon: str, tmp_path: Path) -> None:
    pi = obeys(online(addon), master, tmp_path)
    apply = next(argv for argv in pi.ran if "apply" in argv)
    assert {"--server-side", "--field-manager=kubepi", "--force-conflicts"} <= set(apply)
    assert read_record(pi, addon) is not None


def older(pi: FakePi) -> None:
    """As another version left it: an object and a kind that are no more part of it, and a claim."""
    labels = {LABEL: "hello", "app.kubernetes.io/managed-by": "kubepi"}
    for kind, version in (("CronJob", "batch/v1"), ("PersistentVolumeClaim", "v1")):
        meta = {"name": "old", "namespace": "hello", "labels": labels}
        store(pi, {"apiVersion": version, "kind": kind, "metadata": meta, "spec": {}})
    write_record(pi, "hello", Record("0", ("cronjob.v1.batch", "configmap")))


def test_what_an_older_version_left_goes_but_never_a_claim(tmp_path: Path) -> None:
    step = online("hello")
    pi = obeys(step, having("hello", also=older), tmp_path)
    names = [name for name in stored(pi) if name.endswith("/old")]
    assert names == ["PersistentVolumeClaim/hello/old"]
    pi = having("hello", also=older)(tmp_path / "pi")
    assert str(step.check(pi.read_only())) == "CronJob hello/old is no longer part of it"


class Api:
    """An API that holds these objects."""

    def __init__(self, pi: FakePi, items: list[dict[str, Any]]) -> None:
        self.items = items
        self.asked: list[list[str]] = []
        pi.looks("kubectl", script=self)

    def __call__(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        self.asked.append(list(argv))
        return 0, json.dumps({"items": self.items})


def as_stored(**values: str) -> list[dict[str, Any]]:
    """What the server gives back: with fields of its own."""
    addon = read_addon("flannel")
    items = render(addon, values_of(addon, settings()) | {"backend": "vxlan"} | values, {})
    for item in items:
        item["metadata"] |= {"uid": "1", "resourceVersion": "7"}
        item["status"] = {}
    return items


BUSY = "error: etcdserver: request timed out"
WRONG = 'The DaemonSet "kube-flannel-ds" is invalid: spec.selector: Invalid value'


@pytest.mark.parametrize(("said", "tries"), [(BUSY, 3), (WRONG, 1)])
def test_an_api_that_is_too_busy_is_asked_again(tmp_path: Path, said: str, tries: int) -> None:
    pi = master(tmp_path / "pi")
    inner = pi.programs[("kubectl",)].script
    sent: list[str] = []

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "apply" in argv:
            sent.append(stdin)
            if len(sent) < 3:
                return 1, said
        answer = inner(pi, argv, stdin)
        assert isinstance(answer, tuple)
        return answer

    pi.looks("kubectl", script=kubectl)
    step = online("flannel")
    if tries == 1:
        with pytest.raises(CommandFailed, match="is invalid"):
            step.apply(pi)
    else:
        step.apply(pi)
        assert step.check(pi.read_only()) is None
    assert len(sent) == tries


def test_what_the_server_adds_is_no_difference(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    online("flannel").apply(pi)
    Api(pi, as_stored())
    assert FLANNEL.check(pi.read_only()) is None


def test_a_missing_and_a_changed_object_are_named(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    api = Api(pi, [])
    assert str(FLANNEL.check(pi.read_only())) == "Namespace kube-flannel is missing"
    api.items = as_stored()[:-1]
    assert str(FLANNEL.check(pi.read_only())) == "DaemonSet flannel is missing"
    api.items = as_stored(pod_subnet="10.9.0.0/16")
    found = str(FLANNEL.check(pi.read_only()))
    assert found == "ConfigMap flannel differs in .data.net-conf.json"
    api.items = as_stored()
    assert str(FLANNEL.check(pi.read_only())) == "its record is of another version"


def test_one_question_shows_all_kinds(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    api = Api(pi, [])
    FLANNEL.check(pi.read_only())
    (words,) = [argv[6:] for argv in api.asked]
    assert words[0] == "get"
    assert {"daemonset.v1.apps", "configmap", "persistentvolumeclaim", "namespace"} <= set(
        words[1].split(","))  # fmt: skip
    assert words[2:] == ["-A", "-l", "kubepi.io/addon=flannel", "-o", "json"]


def test_a_kind_that_the_api_does_not_know_hides_no_other(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    online("flannel").apply(pi)
    inner = pi.programs[("kubectl",)].script

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if any("ingressroute" in word for word in argv):
            return 1, 'error: the server doesn\'t have a resource type "ingressroute"'
        answer = inner(pi, argv, stdin)
        assert isinstance(answer, tuple)
        return answer

    pi.looks("kubectl", script=kubectl)
    found = labelled(pi, "flannel", ("ingressroute.v1.traefik.io", "serviceaccount"))
    assert {item["kind"] for item in found} == {"Namespace", "ServiceAccount"}


@pytest.mark.parametrize(
    ("setting", "can_load", "backend"),
    [
        ("auto", True, "vxlan"),
        ("auto", False, "host-gw"),
        ("host-gw", True, "host-gw"),
        ("vxlan", False, "vxlan"),
    ],
)
def test_without_vxlan_flannel_goes_over_routes(
    tmp_path: Path, setting: str, can_load: bool, backend: str
) -> None:
    """Kernels of Ubuntu for the Pi lacked it (flannel 1502)."""
    pi = master(tmp_path / "pi")
    pi.looks("modprobe", "--dry-run", script=lambda *_: (0 if can_load else 1, ""))
    online("flannel", kubernetes__flannel_backend=setting).apply(pi)
    config = stored(pi)["ConfigMap/kube-flannel/flannel"]["data"]["net-conf.json"]
    assert f'"Type": "{backend}"' in config


@pytest.mark.parametrize("step", [FLANNEL, AddonReady("metrics-server")])
def test_without_an_api_nothing_can_be_said(
    step: AddonApplied | AddonReady, tmp_path: Path
) -> None:
    pi = fresh_pi(tmp_path / "pi")
    with pytest.raises(NotYet):
        step.check(pi.read_only())
    if isinstance(step, AddonApplied):
        pi.put(ADMIN, "x")
        with pytest.raises(NotYet, match="the Kubernetes API"):
            step.check(pi.read_only())


# --- what is refused --------------------------------------------------------------------------


def test_what_the_kit_lacks_is_told_before_anything_is_there(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    holds(pi, "docker.io/library/other:1")
    with pytest.raises(StepFailed) as caught:
        HELLO.apply(pi)
    assert caught.value.sentence == (
        "the kit has no image docker.io/library/busybox:1.37, which the add-on hello needs"
    )
    assert "internet instead of a kit" in caught.value.hint
    assert stored(pi) == {}
    assert read_record(pi, "hello") is None
    holds(pi, *addon_images("hello"))
    HELLO.apply(pi)
    assert HELLO.check(pi.read_only()) is None


def test_a_pi_for_which_there_are_no_images_is_told(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    pi.put("/var/lib/dpkg/arch", "riscv64\n")
    with pytest.raises(StepFailed, match="no images for riscv64, only for amd64, arm64"):
        online("hello").apply(pi)
    assert stored(pi) == {}


# --- secrets ----------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_for_root_alone(tmp_path: Path) -> None:
    pi, secret = master(tmp_path / "pi"), secret_of("x", "admin")
    make_secret(pi, secret)
    first = state.read_secret(pi, secret)
    assert first is not None
    assert len(first) >= 24
    make_secret(pi, secret)
    assert state.read_secret(pi, secret) == first
    assert pi.mode(state.secret_file(secret)) == 0o600
    assert first not in repr(secret)


# --- ready ------------------------------------------------------------------------------------


def lagging(pi: FakePi) -> None:
    """Its pods come while somebody waits."""
    objects = pi.read(OBJECTS) or ""
    pi.put(OBJECTS, "{}")
    pi.clock.on_sleep.append(lambda: pi.put(OBJECTS, objects))


def test_what_is_to_be_ready_is_waited_for(tmp_path: Path) -> None:
    pi = having("metrics-server", also=lagging)(tmp_path / "pi")
    step = AddonReady("metrics-server")
    assert str(step.check(pi.read_only())) == "deployment metrics-server is not there"
    obeys(step, having("metrics-server", also=lagging), tmp_path)


def test_a_wait_that_ends_says_what_was_in_the_way(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    pod = {"metadata": {"name": "hello-1"}, "status": {"containerStatuses": [
        {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off  pulling"}}}
    ]}}  # fmt: skip

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "pods" in argv:
            assert argv[-4:-2] == ["-l", "app=hello"]
            return 0, json.dumps({"items": [pod]})
        selector = {"matchLabels": {"app": "hello"}}
        return 0, json.dumps(
            {"kind": "Deployment", "metadata": {}, "spec": {"replicas": 2, "selector": selector}}
        )

    pi.looks("kubectl", script=kubectl)
    with pytest.raises(StepFailed) as caught:
        AddonReady("hello", patience=10).apply(pi)
    assert caught.value.sentence.endswith(
        "for add-on hello ready; last seen: deployment hello: 0 of 2 replicas are available; "
        "hello-1: ImagePullBackOff: Back-off pulling"
    )


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"running": {}}}]}, ""),
        ({"initContainerStatuses": [{
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3}}}]},
         "CrashLoopBackOff (it ended with code 3)"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                          "message": "pod has unbound immediate PersistentVolumeClaims"}]},
         "Unschedulable: pod has unbound immediate PersistentVolumeClaims"),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, ""),
    ],
)  # fmt: skip
def test_why_a_pod_does_not_come_up(status: dict[str, Any], why: str) -> None:
    assert stuck_because({"status": status}) == why


@pytest.mark.parametrize(
    ("kind", "spec", "status", "missing"),
    [
        ("Deployment", {}, {"availableReplicas": 1, "updatedReplicas": 1}, None),
        ("Deployment", {"replicas": 0}, {}, None),
        ("Deployment", {"replicas": 2}, {"availableReplicas": 2, "updatedReplicas": 1},
         "1 of 2 replicas are available"),
        ("StatefulSet", {"replicas": 1}, {}, "0 of 1 replicas are available"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberAvailable": 2,
                           "updatedNumberScheduled": 3}, "2 of 3 pods are available"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 0}, None),
        ("Deployment", {"replicas": 0}, {"observedGeneration": 1}, "it has not been looked at yet"),
    ],
)  # fmt: skip
def test_pods_that_are_missing(
    kind: str, spec: dict[str, Any], status: dict[str, Any], missing: str | None
) -> None:
    generation = 2 if "observedGeneration" in status else 0
    meta = {"generation": generation}
    assert missing_pods({"kind": kind, "metadata": meta, "spec": spec, "status": status}) == missing


# --- gone again -------------------------------------------------------------------------------


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


def test_secrets_of_the_api_are_hidden_from_the_log(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    pi.log.hide(base64.b64encode(b"a long secret").decode())
    assert "YSBsb25n" not in pi.log.redact("data: YSBsb25nIHNlY3JldA==")
