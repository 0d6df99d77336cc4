"""kubepi/steps/containerd.py: its configuration, and images that are there before anybody waits."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.addons import addon_images
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.apt import AptPackages
from kubepi.steps.containerd import (
    ATTEMPT,
    CONFIG,
    ContainerdConfigured,
    ImagesImported,
    ImagesPulled,
    present_images,
)
from kubepi.steps.services import ServiceRunning
from tests.fakes import FakePi
from tests.kubernetes_programs import IMAGES
from tests.programs import Effects, write_durably
from tests.scene import KIT, KIT_IMAGES, VERSION, fresh_pi
from tests.steps.lawful import obeys

CONFIGURED, IMPORTED, PULLED = ContainerdConfigured(True), ImagesImported(KIT), ImagesPulled()
NAMES = ["registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.5-0"]
WANTED = [*NAMES, *addon_images("flannel")]


def with_containerd(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    pi.put(state.PINNED_VERSION, f"{VERSION}\n")
    AptPackages(("containerd",), KIT).apply(pi)
    pi.running.add("containerd.service")
    pi.fake_disk.make_all_durable()
    pi.ran.clear()
    return pi


class Surviving(FakePi):
    """systemd starts containerd at every boot."""

    def power_cut(self) -> None:
        super().power_cut()
        self.running.add("containerd.service")


def rebooting(folder: Path) -> FakePi:
    pi = with_containerd(folder)
    pi.__class__ = Surviving
    return pi


# --- configuration --------------------------------------------------------------------------


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


# --- images of the kit ----------------------------------------------------------------------


def test_images_of_the_kit_obey_the_laws(tmp_path: Path) -> None:
    pi = obeys(IMPORTED, rebooting, tmp_path)
    assert present_images(pi) == {name for names in KIT_IMAGES.values() for name in names}
    assert not state.attempted(pi, ATTEMPT)


def test_only_files_with_missing_images_are_imported(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    assert str(IMPORTED.check(pi.read_only())) == f"2 missing for {VERSION}"
    pi.put(IMAGES, "registry.k8s.io/pause:3.10.2\n")
    assert str(IMPORTED.check(pi.read_only())) == f"1 missing for {VERSION}"
    IMPORTED.apply(pi)
    imports = [argv[-1] for argv in pi.ran if "import" in argv]
    assert imports == [str(pi.path(f"{KIT}/images/kubernetes-v1.36.3.tar"))]


def test_after_a_cut_what_may_be_broken_is_imported_again(tmp_path: Path) -> None:
    """Names are in a database that is synced, the layers behind them were not."""
    pi = with_containerd(tmp_path / "pi")
    IMPORTED.apply(pi)
    pi.put(IMAGES, f"{pi.read(IMAGES)}docker.io/library/mine:1\n")
    state.begin_attempt(pi, ATTEMPT)
    assert str(IMPORTED.check(pi.read_only())) == "an import was interrupted"
    pi.ran.clear()
    IMPORTED.apply(pi)
    remove, *imports = pi.ran
    assert {"remove", "--sync", "registry.k8s.io/pause:3.10.2"} <= set(remove)
    assert "docker.io/library/mine:1" not in remove
    assert len(imports) == 2
    assert "docker.io/library/mine:1" in present_images(pi)


def test_a_damaged_image_file_is_not_imported(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    pi.put(f"{KIT}/images/pause.tar", "broken")
    with pytest.raises(StepFailed, match=r"images/pause\.tar is damaged"):
        IMPORTED.apply(pi)
    assert not [argv for argv in pi.ran if argv[-1].endswith("pause.tar")]


@pytest.mark.parametrize("step", [IMPORTED, PULLED])
def test_without_containerd_nothing_can_be_said(
    step: ImagesImported | ImagesPulled, tmp_path: Path
) -> None:
    pi = with_containerd(tmp_path / "pi")
    offers(pi)
    pi.running.clear()
    with pytest.raises(NotYet, match="containerd"):
        step.check(pi.read_only())


# --- images of registries -------------------------------------------------------------------


def offers(pi: FakePi) -> FakePi:
    """kubeadm that names its images, ctr that pulls them."""
    listed = "".join(f"{name}\n" for name in NAMES)
    pi.looks("kubeadm", "config", "images", "list", script=lambda *_: (0, listed))
    pi.changes("ctr", "--namespace", "k8s.io", "images", "pull", script=_pull)
    return pi


def _pull(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    there = (pi.read(IMAGES) or "").split()
    yield
    if argv[-1] not in there:
        # the database is synced at once, the layers are not
        write_durably(pi, IMAGES, "".join(f"{name}\n" for name in [*there, argv[-1]]))
    yield
    return 0, ""


def test_pulled_images_obey_the_laws(tmp_path: Path) -> None:
    pi = obeys(PULLED, lambda folder: offers(rebooting(folder)), tmp_path)
    assert present_images(pi) == set(WANTED)


def test_kubeadm_names_the_images_of_the_pinned_version(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    assert str(PULLED.check(pi.read_only())) == f"{len(WANTED)} missing"
    assert pi.probed[-2][-2:] == ("--kubernetes-version", VERSION)
    shown: list[str] = []
    pi.on_wait = shown.append
    PULLED.apply(pi)
    total = len(WANTED)
    assert shown == [f"pulling image {n} of {total}: {name}" for n, name in enumerate(WANTED, 1)]
    assert [argv[-1] for argv in pi.ran] == WANTED


def test_a_worker_pulls_no_control_plane(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    ImagesPulled(joining=True).apply(pi)
    pulled = [argv[-1] for argv in pi.ran]
    assert pulled == [name for name in WANTED if "pause" in name or "flannel" in name]


def test_what_is_there_is_not_pulled_again_but_after_a_cut(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    pi.put(IMAGES, f"{NAMES[0]}\n")
    PULLED.apply(pi)
    assert [argv[-1] for argv in pi.ran] == WANTED[1:]
    pi.ran.clear()
    state.begin_attempt(pi, ATTEMPT)
    assert str(PULLED.check(pi.read_only())) == "a pull was interrupted"
    PULLED.apply(pi)
    assert [argv[-1] for argv in pi.ran] == WANTED


def test_a_pull_that_failed_is_no_pull_that_was_cut_off(tmp_path: Path) -> None:
    """What was pulled before it need not be pulled again over a slow line."""
    pi = offers(with_containerd(tmp_path / "pi"))
    pi.changes("ctr", "--namespace", "k8s.io", "images", "pull", script=lambda pi, argv, stdin: (
        (1, "no route to host") if argv[-1] == WANTED[1] else pi._drive(_pull(pi, argv, ""), argv)
    ))  # fmt: skip
    with pytest.raises(CommandFailed):
        PULLED.apply(pi)
    offers(pi)
    pi.ran.clear()
    PULLED.apply(pi)
    assert [argv[-1] for argv in pi.ran] == WANTED[1:]


def test_without_kubeadm_nothing_can_be_said(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    pi.looks("kubeadm", "config", "images", "list", script=lambda *_: (127, "not found"))
    with pytest.raises(NotYet, match="kubeadm"):
        PULLED.check(pi.read_only())
