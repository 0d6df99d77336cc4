"""kubepi/steps/manifests.py: objects in the API, deployments, and the admin's kubeconfig."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.addons import render
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.files import FileRestored
from kubepi.steps.manifests import AdminKubeconfig, DeploymentReady, Manifest
from tests.fakedisk import PowerCut
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import INIT_FILES
from tests.scene import fresh_pi, init_goal
from tests.steps.lawful import obeys

ADMIN = "/etc/kubernetes/admin.conf"
FLANNEL = Manifest("flannel", init_goal())
COREDNS = DeploymentReady("kube-system", "coredns", patience=30)
VALUES = {"pod_subnet": "10.244.0.0/16", "backend": "vxlan"}


class Master(FakePi):
    """Its API runs, also after a power cut."""

    def power_cut(self) -> None:
        super().power_cut()
        self.running.add("kubelet.service")


def master(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    for name, text in INIT_FILES.items():
        pi.put(name, text, 0o600)
    pi.running.add("kubelet.service")
    pi.__class__ = Master
    return pi


# --- manifests ------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["flannel", "access"])
def test_manifests_obey_the_laws(folder: str, tmp_path: Path) -> None:
    step = Manifest(folder, init_goal())
    pi = obeys(step, master, tmp_path)
    apply = next(argv for argv in pi.ran if "apply" in argv)
    assert {"--server-side", "--field-manager=kubepi", "--force-conflicts"} <= set(apply)


class Api:
    """An API that holds these objects."""

    def __init__(self, pi: FakePi, items: list[dict[str, Any]]) -> None:
        self.items = items
        self.asked: list[str] = []
        pi.looks("kubectl", script=self)

    def __call__(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        self.asked.append(stdin)
        return 0, json.dumps({"items": self.items}) if self.items else ""


def stored(**values: str) -> list[dict[str, Any]]:
    """What the server gives back: with fields of its own."""
    items = render("flannel", VALUES | values)
    for item in items:
        item["metadata"] |= {"uid": "1", "resourceVersion": "7", "managedFields": []}
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
    if tries == 1:
        with pytest.raises(CommandFailed, match="is invalid"):
            FLANNEL.apply(pi)
    else:
        FLANNEL.apply(pi)
        assert FLANNEL.check(pi.read_only()) is None
    assert len(sent) == tries


def test_what_the_server_adds_is_no_difference(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    Api(pi, stored())
    assert FLANNEL.check(pi.read_only()) is None


def test_a_missing_and_a_changed_object_are_named(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    api = Api(pi, [])
    assert str(FLANNEL.check(pi.read_only())) == "Namespace kube-flannel is missing"
    api.items = stored()[:-1]
    assert str(FLANNEL.check(pi.read_only())) == "DaemonSet flannel is missing"
    api.items = stored(pod_subnet="10.9.0.0/16")
    found = str(FLANNEL.check(pi.read_only()))
    assert found == "ConfigMap flannel differs in .data.net-conf.json"


def test_one_object_comes_without_a_list_around_it(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    single = stored()[0]
    pi.looks("kubectl", script=lambda *_: (0, json.dumps(single)))
    assert str(FLANNEL.check(pi.read_only())) == "ServiceAccount flannel is missing"


def test_objects_go_by_stdin_and_hold_the_settings(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    api = Api(pi, [])
    Manifest("flannel", init_goal(kubernetes__pod_subnet="10.1.0.0/16")).check(pi.read_only())
    assert '\\"Network\\": \\"10.1.0.0/16\\"' in api.asked[0]


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
    api = Api(pi, [])
    pi.looks("modprobe", "--dry-run", script=lambda *_: (0 if can_load else 1, ""))
    Manifest("flannel", init_goal(kubernetes__flannel_backend=setting)).check(pi.read_only())
    assert f'\\"Type\\": \\"{backend}\\"' in api.asked[0]


def test_without_an_api_nothing_can_be_said(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    with pytest.raises(NotYet):
        FLANNEL.check(pi.read_only())
    pi.put(ADMIN, "x")
    with pytest.raises(NotYet, match="the Kubernetes API"):
        FLANNEL.check(pi.read_only())


# --- deployments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ({"spec": {"replicas": 2}, "status": {"availableReplicas": 2}}, None),
        ({"spec": {"replicas": 2}, "status": {"availableReplicas": 1}},
         "1 of 2 replicas are available"),
        ({"spec": {"replicas": 2}, "status": {}}, "0 of 2 replicas are available"),
        ({"spec": {}}, "0 of 1 replicas are available"),
        (None, "the server could not find it"),
    ],
)  # fmt: skip
def test_what_is_seen_of_a_deployment(
    tmp_path: Path, answer: dict[str, Any] | None, finding: str | None
) -> None:
    pi = master(tmp_path / "pi")
    pi.put("/etc/resolv.conf", "# a comment\nnameserver 192.168.1.1\n")
    said = (1, "E1121\nthe server could not find it\n") if answer is None else None
    pi.looks("kubectl", script=lambda *_: said or (0, json.dumps(answer)))
    found = COREDNS.check(pi.read_only())
    assert (None if found is None else str(found)) == finding


def test_coredns_without_a_nameserver_says_why_it_does_not_come(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    pi.looks("kubectl", script=lambda *_: (0, '{"spec": {}}'))
    assert str(COREDNS.check(pi)) == (
        "0 of 1 replicas are available; it needs a nameserver, and /etc/resolv.conf names none"
    )


def test_a_deployment_is_waited_for(tmp_path: Path) -> None:
    pi = master(tmp_path / "pi")
    pi.looks("kubectl", script=lambda *_: (1, "not yet"))
    with pytest.raises(StepFailed, match="for coredns; last seen: not yet"):
        COREDNS.apply(pi)
    pi.clock.on_sleep.append(lambda: pi.looks("kubectl", script=lambda *_: (
        0, '{"spec": {}, "status": {"availableReplicas": 1}}')))  # fmt: skip
    COREDNS.apply(pi)
    assert COREDNS.check(pi.read_only()) is None


# --- kubeconfigs ----------------------------------------------------------------------------

ROOTS = AdminKubeconfig("/root")
ANNS = AdminKubeconfig("/home/ann", 1000, 1001)


def with_home(folder: Path) -> FakePi:
    pi = master(folder)
    pi.put("/home/ann/.profile", "")
    return pi


@pytest.mark.parametrize("step", [ROOTS, ANNS], ids=["root", "ann"])
def test_a_kubeconfig_obeys_the_laws_and_goes_again(
    step: AdminKubeconfig, tmp_path: Path
) -> None:
    before = with_home(tmp_path / "before").tree(ignoring=["/var"])
    pi = obeys(step, with_home, tmp_path)
    assert pi.read(step.path) == pi.read(ADMIN)
    assert pi.mode(step.path) == 0o600
    FileRestored(step.path).apply(pi)
    assert pi.tree(ignoring=["/var"]) == before


def test_a_users_kubeconfig_belongs_to_them(tmp_path: Path) -> None:
    pi = with_home(tmp_path / "pi")
    ANNS.apply(pi)
    owned = [entry.split()[1] for entry in pi.fake_disk.trail if entry.startswith("chown")]
    # the file before it has its name, so that it never is root's there
    new = "/home/ann/.kube/.config.kubepi-new"
    assert owned == [str(pi.path("/home/ann/.kube")), str(pi.path(new))]


def test_a_cut_before_the_file_was_given_away_is_found(tmp_path: Path) -> None:
    """Else it stays root's, and kubectl of the user never works."""
    pi = with_home(tmp_path / "whole")
    pi.fake_disk.trail.clear()
    ANNS.apply(pi)
    given = [entry.partition(" ")[0] for entry in pi.fake_disk.trail].index("chown") + 1
    pi = with_home(tmp_path / "cut")
    pi.die_at(given)
    with pytest.raises(PowerCut):
        ANNS.apply(pi)
    pi.power_cut()
    assert ANNS.check(pi.read_only()) is not None


def test_a_users_own_kubeconfig_comes_back(tmp_path: Path) -> None:
    pi = with_home(tmp_path / "pi")
    pi.put("/home/ann/.kube/config", "of another cluster", 0o640)
    assert str(ANNS.check(pi.read_only())) == "is of another cluster"
    ANNS.apply(pi)
    given = [entry for entry in pi.fake_disk.trail if entry.startswith("chown")]
    assert not [entry for entry in given if entry.endswith("/.kube")], "the folder was there"
    FileRestored(ANNS.path).apply(pi)
    assert pi.read(ANNS.path) == "of another cluster"
    assert pi.mode(ANNS.path) == 0o640
    assert state.kept_copy(pi, ANNS.path) is None


def test_before_init_there_is_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match=ADMIN):
        ROOTS.check(FakePi(tmp_path).read_only())
