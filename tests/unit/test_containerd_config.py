"""kubepi/decide/containerd_config.py, read back with tomllib as containerd would read it."""

import tomllib
from typing import Any

import pytest

from kubepi.decide.containerd_config import PAUSE_OF_MINOR, config_toml, pause_image
from kubepi.decide.values import MINORS


def cri(version: str = "v1.36.3", can_lower_oom_score: bool = True) -> dict[str, Any]:
    config = tomllib.loads(config_toml(version, can_lower_oom_score))
    found: dict[str, Any] = config["plugins"]["io.containerd.grpc.v1.cri"]
    return found


def test_the_format_is_one_that_all_of_1_6_1_7_and_2_read() -> None:
    config = tomllib.loads(config_toml("v1.36.3", True))
    assert config["version"] == 2
    assert set(config) == {"version", "plugins"}


def test_cgroups_are_systemds_and_the_runtime_is_named_again() -> None:
    """A table for runc replaces the built-in one, so the type must be in it."""
    runc = cri()["containerd"]["runtimes"]["runc"]
    assert runc == {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True}}
    assert cri()["containerd"]["snapshotter"] == "overlayfs"


def test_plugins_are_where_kubernetes_and_flannel_put_them() -> None:
    """Debian's file has /usr/lib/cni."""
    assert cri()["cni"]["bin_dir"] == "/opt/cni/bin"
    assert cri()["cni"]["conf_dir"] == "/etc/cni/net.d"
    assert cri()["registry"]["config_path"] == "/etc/containerd/certs.d"


@pytest.mark.parametrize(("may", "restrict"), [(True, None), (False, True)])
def test_scores_are_restricted_where_they_may_not_be_lowered(may: bool, restrict: object) -> None:
    assert cri(can_lower_oom_score=may).get("restrict_oom_score_adj") is restrict


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("v1.35.0", "registry.k8s.io/pause:3.10.1"),
        ("v1.36.3", "registry.k8s.io/pause:3.10.2"),
        ("1.36.10", "registry.k8s.io/pause:3.10.2"),
        ("v1.37.1", "registry.k8s.io/pause:3.10.2"),
    ],
)
def test_the_sandbox_is_the_image_that_kubeadm_pulls(version: str, image: str) -> None:
    assert pause_image(version) == image
    assert cri(version)["sandbox_image"] == image


def test_every_minor_that_can_be_chosen_has_its_image() -> None:
    assert set(PAUSE_OF_MINOR) == set(MINORS)
