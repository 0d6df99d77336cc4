"""kubepi/steps/addons.py: add-ons applied and ready, and what is refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.addons import LABEL, addon_images, read_addon, render
from kubepi.cluster.objects import labelled
from kubepi.decide.addons import values_of
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.records import Record, read_record, write_record
from kubepi.steps.addons import AddonApplied, AddonReady, make_secret, secret_of
from tests.addon_scene import having, online, store, stored
from tests.containerd_programs import holds
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import OBJECTS
from tests.scene import fresh_pi, init_goal, master, settings
from tests.steps.lawful import obeys

ADMIN = "/etc/kubernetes/admin.conf"
FLANNEL = AddonApplied("flannel", init_goal())
HELLO = AddonApplied("hello", init_goal())


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
        pi.put("/etc/kubernetes/super-admin.conf", "the first master's alone")
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
