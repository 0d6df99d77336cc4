"""kubepi/decide/kit.py: the table of contents of an offline kit, and what it is asked."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.kit import Kit, KitFile, newest, parse, version_key
from kubepi.errors import KubepiError

SUM = "0" * 64
GOOD: dict[str, Any] = {
    "format": 1,
    "architecture": "arm64",
    "kubernetes": ["v1.36.3", "v1.35.10"],
    "packages": [
        {"file": f"debs/{name}_arm64.deb", "sha256": SUM}
        for name in (
            "kubeadm_1.35.10-1.1", "kubeadm_1.36.3-1.1", "kubeadm_1.36.3-2.1", "kubelet_1.36.3-1.1",
            "kubelet_1.36.30-1.1",
            "kubernetes-cni_1.7.1-1.1", "kubernetes-cni_1.10.0-1.1", "socat_1%3a1.8-1",
        )
    ] + [{"file": "debs/README", "sha256": SUM}],
    "images": [
        {"file": "images/v1.36.3.tar", "sha256": SUM, "references": [
            "registry.k8s.io/kube-apiserver:v1.36.3", "registry.k8s.io/kube-proxy:v1.36.3"]},
        {"file": "images/v1.35.10.tar", "sha256": SUM, "references": [
            "registry.k8s.io/kube-apiserver:v1.35.10"]},
        {"file": "images/v1.35.1.tar", "sha256": SUM, "references": [
            "registry.k8s.io/kube-apiserver:v1.35.1", "registry.k8s.io/pause:3.10.1"]},
        {"file": "images/flannel.tar", "sha256": SUM, "references": [
            "ghcr.io/flannel-io/flannel:v0.28.4"]},
        {"file": "images/unnamed.tar", "sha256": SUM},
    ],
}  # fmt: skip


@pytest.fixture
def kit() -> Kit:
    return parse(GOOD, "bundle.yaml")


def test_parse_keeps_everything(kit: Kit) -> None:
    assert (kit.architecture, kit.versions) == ("arm64", ("v1.36.3", "v1.35.10"))
    assert len(kit.packages) == 9
    assert kit.images[3] == KitFile(
        "images/flannel.tar", SUM, ("ghcr.io/flannel-io/flannel:v0.28.4",)
    )
    assert kit.images[4].references == ()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"format": None}, {"packages": None}, {"packages": 5}, {"packages": "abc"},
        {"packages": [None]}, {"packages": [{"file": "a.deb"}]}, {"packages": [{"sha256": SUM}]},
        {"images": [{"file": "a.tar", "sha256": SUM, "references": None}]}, {"images": [[]]},
        {"kubernetes": None},
    ],
    ids=str,
)  # fmt: skip
def test_an_incomplete_kit_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(KubepiError) as caught:
        parse(GOOD | change, "/media/kit/bundle.yaml")
    assert "/media/kit/bundle.yaml is" in caught.value.sentence
    assert caught.value.hint


@pytest.mark.parametrize("missing", ["format", "architecture", "kubernetes", "packages", "images"])
def test_each_part_is_needed(missing: str) -> None:
    data = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(KubepiError, match=r"bundle\.yaml is "):
        parse(data, "bundle.yaml")


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_what_is_no_mapping_is_no_kit(data: Any) -> None:
    with pytest.raises(KubepiError, match="not a kit of format 1"):
        parse(data, "bundle.yaml")


@pytest.mark.parametrize("path", ["/etc/shadow", "../x.deb", "debs/../../x.deb", ".."])
@pytest.mark.parametrize("part", ["packages", "images"])
def test_paths_that_lead_out_are_refused(part: str, path: str) -> None:
    data = copy.deepcopy(GOOD)
    data[part].append({"file": path, "sha256": SUM})
    with pytest.raises(KubepiError, match="leads out of the kit"):
        parse(data, "bundle.yaml")


def test_dots_inside_a_name_are_fine() -> None:
    assert parse(GOOD | {"packages": [{"file": "a/..b.deb", "sha256": SUM}]}, "x").packages


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["file", "sha256", "references"]), inner, max_size=3),
)  # fmt: skip


@given(st.fixed_dictionaries(
    {"format": st.just(1), "architecture": scalars},
    optional={"kubernetes": trees, "packages": trees, "images": trees}))  # fmt: skip
def test_any_yaml_is_a_kit_or_an_error(data: dict[str, Any]) -> None:
    try:
        kit = parse(data, "bundle.yaml")
    except KubepiError:
        return
    assert isinstance(kit.deb("kubeadm"), KitFile | None)


@pytest.mark.parametrize(
    ("package", "version", "file"),
    [
        ("kubeadm", "1.36.3", "debs/kubeadm_1.36.3-2.1_arm64.deb"),
        ("kubeadm", "1.35.10", "debs/kubeadm_1.35.10-1.1_arm64.deb"),
        ("kubeadm", "", "debs/kubeadm_1.36.3-2.1_arm64.deb"),
        ("kubelet", "1.36.3", "debs/kubelet_1.36.3-1.1_arm64.deb"),
        # its versions are its own; and 1.10 is newer than 1.7
        ("kubernetes-cni", "1.36.3", "debs/kubernetes-cni_1.10.0-1.1_arm64.deb"),
        ("socat", "", "debs/socat_1%3a1.8-1_arm64.deb"),
        ("kubernetes", "", None),
        ("README", "", None),
    ],
)
def test_deb(kit: Kit, package: str, version: str, file: str | None) -> None:
    found = kit.deb(package, version)
    assert (None if found is None else found.path) == file


def test_images_for_leaves_out_only_the_servers_of_other_versions(kit: Kit) -> None:
    names = [file.path for file in kit.images_for("v1.36.3")]
    # a file that also holds what every version needs stays
    assert names == ["images/v1.36.3.tar", "images/v1.35.1.tar", "images/flannel.tar",
                     "images/unnamed.tar"]  # fmt: skip
    assert "images/v1.35.10.tar" in [file.path for file in kit.images_for("v1.35.10")]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("newest", "v1.36.3"), ("1.36", "v1.36.3"), ("1.35", "v1.35.10"), ("v1.35.9", "v1.35.9"),
        ("1.35.9", "v1.35.9"), ("v1.36.1", None), ("1.3", None), ("1.37", None), ("", None),
    ],
)  # fmt: skip
def test_newest(wanted: str, chosen: str | None) -> None:
    assert newest(["v1.35.9", "v1.36.3", "v1.35.10", "v1.36.2"], wanted) == chosen
    assert newest([], wanted) is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [("v1.35.9", "v1.35.10"), ("1.36.2-1.1", "1.36.2-2.1"), ("1.9.0-1", "1.10.0-1"), ("", "1")],
)
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)
