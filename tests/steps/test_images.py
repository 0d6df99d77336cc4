"""kubepi/steps/images.py: images that are there before anybody waits, from a kit or pulled."""

import json
from pathlib import Path

import pytest

from kubepi.addons import addon_images
from kubepi.decide.proxy import Proxy
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.images import ATTEMPT, ImagesImported, ImagesPulled
from kubepi.steps.packages import AptPackages
from kubepi.steps.pulling import present_images
from tests.containerd_programs import (
    CTR,
    LAYER_BYTES,
    UNPACKED,
    database,
    fetch_object,
    holds,
    pull,
)
from tests.fakes import FakePi
from tests.scene import KIT, KIT_IMAGES, VERSION, fresh_pi
from tests.steps.lawful import obeys

IMPORTED, PULLED = ImagesImported(KIT), ImagesPulled()
NAMES = ["registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.5-0"]
IN_KIT = {name for names in KIT_IMAGES.values() for name in names}
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


# --- images of the kit ----------------------------------------------------------------------


def test_images_of_the_kit_obey_the_laws(tmp_path: Path) -> None:
    pi = obeys(IMPORTED, rebooting, tmp_path)
    assert present_images(pi) == IN_KIT
    assert not state.attempted(pi, ATTEMPT)


def test_only_files_with_missing_images_are_imported(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    assert str(IMPORTED.check(pi.read_only())) == f"{len(IN_KIT)} missing for {VERSION}"
    holds(pi, *(name for name in IN_KIT if "kube-" not in name))
    assert str(IMPORTED.check(pi.read_only())) == f"1 missing for {VERSION}"
    IMPORTED.apply(pi)
    imports = [argv[-1] for argv in pi.ran if "import" in argv]
    assert imports == [str(pi.path(f"{KIT}/images/kubernetes-v1.36.3.tar"))]


def test_after_a_cut_what_may_be_broken_is_imported_again(tmp_path: Path) -> None:
    """Names are in a database that is synced, what was unpacked was not."""
    pi = with_containerd(tmp_path / "pi")
    IMPORTED.apply(pi)
    holds(pi, "docker.io/library/mine:1")
    state.begin_attempt(pi, ATTEMPT)
    assert str(IMPORTED.check(pi.read_only())) == "an import was interrupted"
    pi.ran.clear()
    IMPORTED.apply(pi)
    remove, *imports = pi.ran
    assert {"remove", "--sync", "registry.k8s.io/pause:3.10.2"} <= set(remove)
    assert "docker.io/library/mine:1" not in remove
    assert len(imports) == len(KIT_IMAGES)
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
    """kubeadm that names its images."""
    listed = "".join(f"{name}\n" for name in NAMES)
    pi.looks("kubeadm", "config", "images", "list", script=lambda *_: (0, listed))
    return pi


def pulled(pi: FakePi) -> list[str]:
    return [argv[-1] for argv in pi.ran if "pull" in argv]


def test_pulled_images_obey_the_laws(tmp_path: Path) -> None:
    """Also what was unpacked when the power was cut is whole in the end."""
    pi = obeys(PULLED, lambda folder: offers(rebooting(folder)), tmp_path)
    assert present_images(pi) == set(WANTED)
    assert all(pi.read(f"{UNPACKED}/{image}") == "files" for image in WANTED)
    assert "leases" not in json.loads(json.dumps({k: v for k, v in database(pi).items() if v}))


def test_kubeadm_names_the_images_of_the_pinned_version(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    assert str(PULLED.check(pi.read_only())) == f"{len(WANTED)} missing"
    assert ("--kubernetes-version", VERSION) in [argv[-2:] for argv in pi.probed]
    PULLED.apply(pi)
    assert pulled(pi) == WANTED
    assert PULLED.check(pi.read_only()) is None


def test_all_is_known_before_the_first_layer_comes(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    shown: list[str] = []
    pi.on_wait = shown.append
    PULLED.apply(pi)
    verbs = [argv[4] for argv in pi.ran if argv[:3] == CTR]
    count = len(WANTED)
    assert verbs == ["fetch-object"] * 2 * count + ["fetch", "pull"] * count
    one, total = LAYER_BYTES // 10**6, count * LAYER_BYTES // 10**6
    second = [line for line in shown if line.startswith(f"pulling 2 of {count}: ")]
    assert second[0] == f"pulling 2 of {count}: {one} of {total} MB, etcd:3.6.5-0"
    assert any("MB/s" in line and "s left" in line for line in second)


def test_a_worker_pulls_no_control_plane(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    ImagesPulled(is_worker=True).apply(pi)
    assert pulled(pi) == [name for name in WANTED if "pause" in name or "flannel" in name]


def test_what_is_there_is_not_pulled_again_also_after_a_cut(tmp_path: Path) -> None:
    """Over a slow line only the image that was being pulled comes again."""
    pi = offers(with_containerd(tmp_path / "pi"))
    holds(pi, NAMES[0])
    PULLED.apply(pi)
    assert pulled(pi) == WANTED[1:]
    pi.ran.clear()
    state.begin_attempt(pi, ATTEMPT, WANTED[1])
    assert str(PULLED.check(pi.read_only())) == "a pull was interrupted"
    PULLED.apply(pi)
    assert pulled(pi) == [WANTED[1]]
    assert PULLED.check(pi.read_only()) is None


def failing(pi: FakePi, image: str, said: str) -> FakePi:
    pi.changes(*CTR, "images", "pull", script=lambda pi, argv, stdin: (
        (1, said) if argv[-1] == image else pi._drive(pull(pi, argv, ""), argv)
    ))  # fmt: skip
    return pi


def test_a_pull_that_failed_is_tried_again_and_is_no_pull_that_was_cut_off(tmp_path: Path) -> None:
    pi = failing(offers(with_containerd(tmp_path / "pi")), WANTED[1], "ctr: connection refused")
    with pytest.raises(CommandFailed) as caught:
        PULLED.apply(pi)
    first, command, *_ = caught.value.sentence.splitlines()
    assert first == f"the registry registry.k8s.io: nobody answers there ({WANTED[1]})"
    assert command.startswith("ctr failed with code 1")
    assert pulled(pi) == [WANTED[0], *[WANTED[1]] * 3]
    pi.changes(*CTR, "images", "pull", script=pull)
    pi.ran.clear()
    PULLED.apply(pi)
    assert pulled(pi) == WANTED[1:]


@pytest.mark.parametrize("said", ["<html>log in</html>", "[]", '{"errors": []}', ""])
def test_what_is_no_image_is_told_and_nothing_is_stored(tmp_path: Path, said: str) -> None:
    """ctr takes the page of a captive portal for an image, name and all."""
    pi = offers(with_containerd(tmp_path / "pi"))
    pi.changes(*CTR, "content", "fetch-object", script=lambda *_: (0, said))
    with pytest.raises(StepFailed) as caught:
        PULLED.apply(pi)
    assert caught.value.sentence == (
        f"registry.k8s.io answers with something else than images ({WANTED[0]})"
    )
    assert "captive portal" in caught.value.hint
    assert not any(database(pi).values())


def test_a_name_for_something_else_is_taken_away_again(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    pi.changes(*CTR, "content", "fetch-object", script=lambda pi, argv, stdin: (
        (0, fetch_object(pi, argv, stdin)[1] + " ")
    ))  # fmt: skip
    with pytest.raises(StepFailed, match="answers with something else than images"):
        PULLED.apply(pi)
    assert not any(database(pi).values())


def test_a_mirror_is_named_where_one_was_asked(tmp_path: Path) -> None:
    said = "ctr: failed to resolve reference: unexpected status from HEAD request: 503 Service"
    pi = failing(offers(with_containerd(tmp_path / "pi")), WANTED[0], said)
    step = ImagesPulled(mirrors=(("registry.k8s.io", "http://mirror:5000"),))
    with pytest.raises(CommandFailed, match=r"the mirror http://mirror:5000 of registry\.k8s\.io"):
        step.apply(pi)


def test_ctr_is_told_of_the_proxy(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    ImagesPulled(proxy=Proxy("http://proxy:3128")).apply(pi)
    told = [more for argv, more in zip(pi.ran, pi.environments[-len(pi.ran):], strict=True)
            if "--hosts-dir" in argv]  # fmt: skip
    assert told
    assert all(more["HTTPS_PROXY"] == "http://proxy:3128" for more in told)


def test_a_disk_that_is_too_small_is_seen_before_anything_is_pulled(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))
    pi.free = 300 * 10**6
    with pytest.raises(StepFailed, match=r"need about 840 MB in /var/lib/containerd, 300 MB are"):
        PULLED.apply(pi)
    assert pulled(pi) == []
    pi.free = 10**9
    PULLED.apply(pi)
    assert pulled(pi) == WANTED


def test_a_line_without_a_byte_is_given_up(tmp_path: Path) -> None:
    pi = offers(with_containerd(tmp_path / "pi"))

    def silent(pi: FakePi, argv: object, stdin: str):  # type: ignore[no-untyped-def]
        for _ in range(1000):
            yield
        raise AssertionError("it was not ended")

    pi.changes(*CTR, "images", "pull", script=silent)
    with pytest.raises(StepFailed, match=r"registry\.k8s\.io has sent nothing for 300 s"):
        PULLED.apply(pi)
    assert not state.attempted(pi, ATTEMPT)


def test_without_kubeadm_nothing_can_be_said(tmp_path: Path) -> None:
    pi = with_containerd(tmp_path / "pi")
    pi.looks("kubeadm", "config", "images", "list", script=lambda *_: (127, "not found"))
    with pytest.raises(NotYet, match="kubeadm"):
        PULLED.check(pi.read_only())
