"""kubepi/steps/manifests.py: what kubeadm put into the API, and the admin's kubeconfig."""

import json
from pathlib import Path
from typing import Any

import pytest

from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.files import FileRestored
from kubepi.steps.manifests import AdminKubeconfig, DeploymentReady
from tests.fakedisk import PowerCut
from tests.fakes import FakePi
from tests.scene import master
from tests.steps.lawful import obeys

ADMIN = "/etc/kubernetes/admin.conf"
COREDNS = DeploymentReady("kube-system", "coredns", patience=30)


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
