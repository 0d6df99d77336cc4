"""kubepi/steps/versions.py: the version that is chosen once, from a kit, a repository, a master."""

from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, StepFailed
from kubepi.machine import state
from kubepi.steps.versions import VersionPinned
from tests.fakes import FakePi
from tests.scene import KIT, VERSION, fresh_pi
from tests.steps.lawful import obeys


def test_a_version_of_the_kit_obeys_the_laws(tmp_path: Path) -> None:
    def with_state(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        pi.put(f"{state.STATE}/.keep", "")
        return pi

    pi = obeys(VersionPinned("newest", KIT), with_state, tmp_path)
    assert pi.read(state.PINNED_VERSION) == f"{VERSION}\n"


MADISON = """\
   kubeadm | 1.36.10-1.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm | 1.36.9-2.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm | 1.36.11~rc.0-1.1 | https://pkgs.k8s.io/core:/stable:/v1.36/deb  Packages
   kubeadm-extra | 1.37.0-1.1 | https://example.org  Packages
"""


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("newest", "v1.36.10"), ("1.36", "v1.36.10"), ("v1.36.9", "v1.36.9")]
)
def test_a_version_of_the_repository(tmp_path: Path, wanted: str, chosen: str) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("apt-cache", "madison", "kubeadm", script=lambda *_: (0, MADISON))
    VersionPinned(wanted).apply(pi)
    assert pi.read(state.PINNED_VERSION) == f"{chosen}\n"


@pytest.mark.parametrize(
    ("wanted", "listed", "words"),
    [
        ("1.37", MADISON, "has no Kubernetes 1.37 .it has v1.36.10, v1.36.9"),
        ("newest", "", "has no Kubernetes newest .it has none"),
        ("newest", MADISON.replace("1.36", "1.99"), "has no Kubernetes newest"),
    ],
)
def test_a_version_that_nobody_has(
    tmp_path: Path, wanted: str, listed: str, words: str
) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("apt-cache", "madison", "kubeadm", script=lambda *_: (0, listed))
    with pytest.raises(StepFailed, match=words):
        VersionPinned(wanted).apply(pi)
    assert not pi.exists(state.PINNED_VERSION)


def test_apt_that_does_not_answer_is_no_repository_without_versions(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("apt-cache", "madison", "kubeadm", script=lambda *_: (124, "no end after 600 s"))
    with pytest.raises(CommandFailed, match="did not end within 600 s"):
        VersionPinned("newest").apply(pi)
    assert not pi.exists(state.PINNED_VERSION)


def test_a_joiner_takes_the_version_of_its_master(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.running.add("kubepi-agent.service")
    VersionPinned("1.35", KIT, joining=True).apply(pi)
    assert pi.read(state.PINNED_VERSION) == f"{VERSION}\n"


def test_what_was_chosen_stays(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.put(state.PINNED_VERSION, "v1.35.1\n")
    assert VersionPinned("newest", KIT).check(pi.read_only()) is None
