"""kubepi/decide/kubeadm_config.py: the files that kubeadm reads, against golden/*.yaml.

Fields are those of kubeadm v1beta4 (types.go). A golden file that is wrong shows the difference;
one that is to change is changed by hand.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubepi.decide.credentials import bootstrap_token, certificate_key
from kubepi.decide.kubeadm_config import (
    Node,
    init_documents,
    join_documents,
    master_documents,
    upgrade_document,
    upload_documents,
)
from kubepi.decide.values import MINORS
from tests.scene import settings

GOLDEN = Path(__file__).parent / "golden"
TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
BOOTSTRAP = bootstrap_token(TOKEN)
KEY = certificate_key(TOKEN)
API = "home.kubepi.internal"
PLAIN = Node("pi1", "", (), True)
UNUSUAL = Node("pi1", "10.0.0.7", ("NumCPU", "Mem"), False)
PASSED_THROUGH = {
    "kubernetes__workloads_on_control_plane": "no",
    "kubernetes__not_ready_after": 30,
    "kubernetes__pods_move_after": 60,
    "kubernetes__kubelet": {"maxPods": 50, "containerLogMaxFiles": 2},
    "kubernetes__kube_proxy": {"bindAddress": "0.0.0.0", "conntrack": {"maxPerCore": 0}},
    "kubernetes__proxy_mode": "nftables",
    "kubernetes__pod_subnet": "10.1.0.0/16",
}


def init(node: Node = PLAIN, **changes: object) -> list[dict[str, Any]]:
    return init_documents(settings(**changes), node, "v1.36.3", API, BOOTSTRAP)


def join(node: Node = PLAIN) -> list[dict[str, Any]]:
    return join_documents(node, f"{API}:6443", BOOTSTRAP, "sha256:" + "a" * 64)


def join_master(node: Node = PLAIN, **changes: object) -> list[dict[str, Any]]:
    pin = "sha256:" + "a" * 64
    return master_documents(settings(**changes), node, f"{API}:6443", BOOTSTRAP, pin, KEY)


CASES = {
    "kubeadm-init": init(),
    "kubeadm-init-unusual": init(UNUSUAL, **PASSED_THROUGH),
    "kubeadm-join": join(),
    "kubeadm-join-unusual": join(UNUSUAL),
    "kubeadm-join-master": join_master(),
    "kubeadm-join-master-unusual": join_master(UNUSUAL, **PASSED_THROUGH),
}


@pytest.mark.parametrize("name", CASES)
def test_the_documents_are_as_in_the_golden_file(name: str) -> None:
    written = yaml.safe_dump_all(CASES[name], sort_keys=False)
    assert written == (GOLDEN / f"{name}.yaml").read_text()


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("kubeadm-*.yaml")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_token_is_only_where_kubeadm_needs_it(name: str) -> None:
    """The ClusterConfiguration ends in a ConfigMap that every node can read."""
    secret = BOOTSTRAP.partition(".")[2]
    holders = [d["kind"] for d in CASES[name] if secret in yaml.safe_dump(d)]
    assert holders == ["JoinConfiguration" if "join" in name else "InitConfiguration"]


@pytest.mark.parametrize("name", ["kubeadm-init", "kubeadm-init-unusual"])
def test_no_phase_prints_the_join_command_with_the_token(name: str) -> None:
    assert CASES[name][0]["skipPhases"] == ["show-join-command"]


def test_certificates_are_uploaded_without_asking_the_internet_for_a_version() -> None:
    init_part, cluster = upload_documents("v1.36.3", API, KEY)
    assert (init_part["kind"], init_part["certificateKey"]) == ("InitConfiguration", KEY)
    assert cluster["kubernetesVersion"] == "v1.36.3"
    assert KEY not in str(cluster)


def test_kinds_and_versions() -> None:
    kinds = [(d["apiVersion"].partition("/")[0], d["kind"]) for d in init()]
    assert kinds == [
        ("kubeadm.k8s.io", "InitConfiguration"),
        ("kubeadm.k8s.io", "ClusterConfiguration"),
        ("kubelet.config.k8s.io", "KubeletConfiguration"),
        ("kubeproxy.config.k8s.io", "KubeProxyConfiguration"),
    ]
    assert [d["kind"] for d in join()] == ["JoinConfiguration"]


def test_arguments_are_lists_of_names_and_values() -> None:
    """Maps were v1beta3; v1beta4 refuses them."""
    arguments = init(UNUSUAL)[0]["nodeRegistration"]["kubeletExtraArgs"]
    assert arguments == [
        {"name": "config-dir", "value": "/etc/kubepi/kubelet.d"},
        {"name": "node-ip", "value": "10.0.0.7"},
    ]


@pytest.mark.parametrize(
    ("choice", "taints"), [("yes", []), ("auto", []), ("no", "kubeadm's own")]
)
def test_a_master_without_a_taint(choice: str, taints: object) -> None:
    """An empty list means none; a missing one means kubeadm's."""
    registration = init(kubernetes__workloads_on_control_plane=choice)[0]["nodeRegistration"]
    assert registration.get("taints", "kubeadm's own") == taints


def test_what_the_user_passes_through_wins() -> None:
    kubelet, proxy = init(kubernetes__kubelet={"cgroupDriver": "cgroupfs"},
                          kubernetes__kube_proxy={"mode": "ipvs"})[2:]  # fmt: skip
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert proxy["mode"] == "ipvs"


@pytest.mark.parametrize(("may", "scores"), [(True, [None, None]), (False, [0, 0])])
def test_scores_that_may_not_be_lowered_are_not(may: bool, scores: list[int | None]) -> None:
    kubelet, proxy = init(Node("pi1", "", (), may))[2:]
    assert [kubelet.get("oomScoreAdj"), proxy.get("oomScoreAdj")] == scores


def test_making_documents_twice_gives_the_same_and_changes_no_settings() -> None:
    values = settings(**PASSED_THROUGH)
    before = yaml.safe_dump(values)
    first = init_documents(values, PLAIN, f"v{MINORS[0]}.1", API, BOOTSTRAP)
    assert first == init_documents(values, PLAIN, f"v{MINORS[0]}.1", API, BOOTSTRAP)
    assert yaml.safe_dump(values) == before


def test_an_upgrade_leaves_the_check_out_that_a_slow_line_fails() -> None:
    document = upgrade_document("v1.36.3", ["Swap"])
    assert document["apply"] == {
        "kubernetesVersion": "v1.36.3",
        "imagePullPolicy": "IfNotPresent",
        "ignorePreflightErrors": ["Swap", "CreateJob"],
    }
    assert document["node"]["ignorePreflightErrors"] == ["Swap", "CreateJob"]
    assert document["timeouts"]["upgradeManifests"] == "10m"
    assert upgrade_document("v1.36.3", ["CreateJob"])["node"]["ignorePreflightErrors"] == [
        "CreateJob"
    ]
