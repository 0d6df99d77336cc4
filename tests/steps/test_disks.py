"""kubepi/steps/disks.py: only an empty disk is formatted; a folder is shut and opened again."""

from pathlib import Path

import pytest

from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.disks import DiskFormatted, FolderOpened, FolderShut
from tests.disk_programs import HALF, put_disk
from tests.fakes import FakePi
from tests.scene import fresh_pi
from tests.steps.lawful import obeys

DISK = "/dev/disk/by-id/usb-T7"
FORMATTED = DiskFormatted(DISK, "kubepi-share")
FOLDER = "/mnt/kubepi"


def pi_with(content: str = "") -> object:
    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        put_disk(pi, DISK, content)
        return pi

    return make


def test_an_empty_disk_is_formatted_lawfully(tmp_path: Path) -> None:
    pi = obeys(FORMATTED, pi_with(), tmp_path)  # type: ignore[arg-type]
    assert "LABEL=kubepi-share" in (pi.read(DISK) or "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("TYPE=ext4\nLABEL=photos\n", "ext4 named 'photos'"),
        ("TYPE=ntfs\n", "ntfs"),
        ("PTTYPE=gpt\n", "partitions (gpt)"),
        (HALF, "ext4"),
    ],
)
def test_a_disk_with_data_is_left_alone(content: str, told: str, tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    put_disk(pi, DISK, content)
    for ask in (FORMATTED.check, FORMATTED.apply):
        with pytest.raises(StepFailed, match="holds") as caught:
            ask(pi)
        assert told in caught.value.sentence
        assert "dd if=/dev/zero" in caught.value.hint
    assert pi.read(DISK) == content
    assert not pi.ran


def test_an_interrupted_format_of_another_disk_permits_nothing(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    put_disk(pi, DISK, HALF)
    state.begin_attempt(pi, "format-kubepi-share", "/dev/disk/by-id/usb-other")
    with pytest.raises(StepFailed):
        FORMATTED.apply(pi)
    assert pi.read(DISK) == HALF


def test_a_disk_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match="usb-T7"):
        FORMATTED.check(fresh_pi(tmp_path / "pi"))


def test_one_that_nobody_can_read_is_not_empty(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    put_disk(pi, DISK)
    pi.looks("blkid", script=lambda pi, argv, stdin: (8, "ambivalent probing result"))
    with pytest.raises(StepFailed, match="cannot tell"):
        FORMATTED.check(pi)


def test_a_folder_is_shut_and_opened_lawfully(tmp_path: Path) -> None:
    obeys(FolderShut(FOLDER), fresh_pi, tmp_path / "shut")

    def shut(folder: Path) -> FakePi:
        pi = fresh_pi(folder)
        FolderShut(FOLDER).apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    pi = obeys(FolderOpened(FOLDER), shut, tmp_path / "open")
    assert not pi.exists(FOLDER)


def test_what_is_in_a_folder_stays(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.put(f"{FOLDER}/letter", "dear")
    FolderShut(FOLDER).apply(pi)
    FolderOpened(FOLDER).apply(pi)
    assert pi.read(f"{FOLDER}/letter") == "dear"
    assert FolderOpened(FOLDER).check(pi) is None


def test_a_file_system_without_flags_is_no_failure(tmp_path: Path) -> None:
    """That of a container: lsattr says it cannot."""
    pi = fresh_pi(tmp_path / "pi")
    pi.looks("lsattr", script=lambda pi, argv, stdin: (1, "Operation not supported"))
    FolderShut(FOLDER).apply(pi)
    assert FolderShut(FOLDER).check(pi) is None
    assert pi.is_dir(FOLDER)


def test_nothing_is_asked_of_a_folder_that_is_mounted(tmp_path: Path) -> None:
    """lsattr would start the automount, and wait for a server that is away."""
    pi = fresh_pi(tmp_path / "pi")
    row = f"40 1 0:40 / {pi.path(FOLDER)} rw - autofs systemd-1 rw\n"
    pi.put("/proc/self/mountinfo", row)
    assert FolderShut(FOLDER).check(pi) is None
    assert FolderOpened(FOLDER).check(pi) is None
    assert not pi.probed
