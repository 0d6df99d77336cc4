"""kubepi/steps/containerd.py: its configuration, and where it gets a registry's images instead."""

import tomllib
from pathlib import Path

import pytest

from kubepi.errors import NotYet
from kubepi.machine import state
from kubepi.steps.containerd import CONFIG, ContainerdConfigured, mirror_file
from kubepi.steps.packages import AptPackages
from kubepi.steps.services import ServiceRunning
from tests.fakes import FakePi
from tests.scene import KIT, VERSION, fresh_pi
from tests.steps.lawful import obeys

CONFIGURED = ContainerdConfigured(True)


def with_containerd(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    pi.put(state.PINNED_VERSION, f"{VERSION}\n")
    AptPackages(("containerd",), KIT).apply(pi)
    pi.running.add("containerd.service")
    pi.fake_disk.make_all_durable()
    pi.ran.clear()
    return pi


def test_the_configuration_obeys_the_laws_and_restarts_containerd(tmp_path: Path) -> None:
    pi = obeys(CONFIGURED, with_containerd, tmp_path)
    config = tomllib.loads(pi.read(CONFIG) or "")
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"].endswith("pause:3.10.2")
    service = ServiceRunning("containerd.service")
    assert str(service.check(pi.read_only())) == "runs with older files"


def test_without_a_version_there_is_no_configuration_yet(tmp_path: Path) -> None:
    with pytest.raises(NotYet):
        CONFIGURED.check(fresh_pi(tmp_path / "pi").read_only())


def test_another_version_is_another_configuration(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    CONFIGURED.apply(pi)
    pi.put(state.PINNED_VERSION, "v1.35.4\n")
    assert str(CONFIGURED.check(pi.read_only())) == "has other content"


def test_a_mirror_is_asked_and_the_registry_not_any_more() -> None:
    file = mirror_file("docker.io", "http://mirror:5000")
    hosts = tomllib.loads(file.content)
    assert file.path == "/etc/containerd/certs.d/docker.io/hosts.toml"
    assert hosts["server"] == "http://mirror:5000"
    assert hosts["host"] == {"http://mirror:5000": {"capabilities": ["pull", "resolve"]}}
