"""kubepi/machine/kitfiles.py: a kit on a disk, and files that are used only if they are whole."""

import hashlib
from pathlib import Path

import pytest

from kubepi.decide.kit import Kit, KitFile
from kubepi.errors import KubepiError, StepFailed
from kubepi.machine.kitfiles import open_kit, verified
from tests.fakes import FakePi
from tests.scene import KIT, VERSION, fresh_pi

TEXT = "the image"
FILE = KitFile("images/a.tar", hashlib.sha256(TEXT.encode()).hexdigest())


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = fresh_pi(tmp_path / "pi")
    pi.put(f"{KIT}/{FILE.path}", TEXT)
    return pi


def test_a_kit_is_opened_and_its_files_are_used_where_they_are(pi: FakePi) -> None:
    kit = open_kit(pi.read_only(), KIT)
    assert isinstance(kit, Kit)
    assert kit.versions == (VERSION,)
    for file in (FILE, *kit.packages, *kit.images):
        assert verified(pi.read_only(), KIT, file) == str(pi.path(f"{KIT}/{file.path}"))


def test_no_kit_there(pi: FakePi) -> None:
    with pytest.raises(StepFailed, match=r"there is no kit in /mnt: /mnt/bundle\.yaml is missing"):
        open_kit(pi.read_only(), "/mnt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not YAML"),
        ("\tx: y", "is not YAML"),
        ("", "is not a kit of format 1"),
        ("format: 1", "is incomplete: 'architecture'"),
        ("format: 1\narchitecture: !!python/object/apply:os.abort []", "is not YAML"),
    ],
)
def test_a_broken_table_of_contents(pi: FakePi, text: str, words: str) -> None:
    pi.put("/mnt/bundle.yaml", text)
    with pytest.raises(KubepiError) as caught:
        open_kit(pi.read_only(), "/mnt")
    assert words in caught.value.sentence
    assert "/mnt/bundle.yaml" in caught.value.sentence
    assert caught.value.hint


@pytest.mark.parametrize("content", ["", "the imagE", "the image\n"])
def test_a_damaged_file_is_refused(pi: FakePi, content: str) -> None:
    pi.put(f"{KIT}/{FILE.path}", content)
    with pytest.raises(StepFailed) as caught:
        verified(pi.read_only(), KIT, FILE)
    assert f"{KIT}/images/a.tar is damaged" in caught.value.sentence
    assert FILE.sha256[:12] in caught.value.sentence
    assert hashlib.sha256(content.encode()).hexdigest()[:12] in caught.value.sentence


@pytest.mark.parametrize("path", ["images/b.tar", "images", "images/a.tar/b"])
def test_a_missing_file_is_told(pi: FakePi, path: str) -> None:
    with pytest.raises(StepFailed, match=f"cannot read {KIT}/{path}: ") as caught:
        verified(pi.read_only(), KIT, KitFile(path, FILE.sha256))
    assert "copy the kit again" in caught.value.hint


def test_a_kit_for_other_boards_is_refused_before_anything_is_taken_from_it(pi: FakePi) -> None:
    pi.put("/var/lib/dpkg/arch", "arm64\n")
    with pytest.raises(KubepiError, match="amd64"):
        open_kit(pi.read_only(), KIT)
