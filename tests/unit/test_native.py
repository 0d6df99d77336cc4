"""kubepi/native.py: what is in the cache is ours, is right, or is written anew."""

import fcntl
import os
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile
from zipimport import zipimporter

import pytest

from kubepi.errors import KubepiError
from kubepi.native import SUPPORTED, default_cache, kept_copy, load_packed, locked

NAME = f"_netifaces{EXTENSION_SUFFIXES[0]}"
CONTENT = b"\x7fELF what the archive holds"
FOLDER = "64db9b2ce95e0d52"


def kept(cache: Path, content: bytes = CONTENT) -> Path:
    with locked(cache):
        return kept_copy(content, NAME, cache)


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def test_a_copy_is_private_and_named_after_its_content(tmp_path: Path) -> None:
    cache = tmp_path / "var" / "kubepi"
    file = kept(cache)
    assert file == cache / FOLDER / NAME
    assert file.read_bytes() == CONTENT
    assert (mode(cache), mode(file.parent), mode(file)) == (0o700, 0o700, 0o600)
    assert [entry.name for entry in file.parent.iterdir()] == [NAME]


def test_a_right_copy_is_not_written_again(tmp_path: Path) -> None:
    before = kept(tmp_path / "cache").stat()
    after = kept(tmp_path / "cache").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def swap_content(file: Path) -> None:
    file.write_bytes(CONTENT.replace(b"archive", b"villain"))


def cut_short(file: Path) -> None:
    file.write_bytes(CONTENT[:9])


def power_cut(file: Path) -> None:
    file.rename(file.with_name(".tmp"))


def link_file(file: Path) -> None:
    elsewhere = file.parent.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def link_folder(file: Path) -> None:
    elsewhere = file.parent.parent / "elsewhere"
    file.parent.rename(elsewhere)
    file.parent.symlink_to(elsewhere)


def file_instead_of_folder(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.write_bytes(CONTENT)


@pytest.mark.parametrize(
    "spoil",
    [
        swap_content,
        cut_short,
        power_cut,
        link_file,
        link_folder,
        file_instead_of_folder,
        lambda file: file.chmod(0o622),
        lambda file: file.parent.chmod(0o777),
        lambda file: file.unlink(),
    ],
)
def test_a_wrong_copy_is_replaced(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    file = kept(tmp_path / "cache")
    spoil(file)
    assert kept(tmp_path / "cache") == file
    assert file.read_bytes() == CONTENT
    assert not file.is_symlink()
    assert not file.parent.is_symlink()
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)
    assert [entry.name for entry in file.parent.iterdir()] == [NAME]


def test_copies_of_earlier_versions_go_and_nothing_else(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    old = kept(cache, b"an older version")
    (cache / "packages").mkdir()
    new = kept(cache)
    assert not old.parent.exists()
    assert sorted(entry.name for entry in cache.iterdir()) == [new.parent.name, "packages"]


def test_a_cache_that_others_can_change_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    kept(cache)
    cache.chmod(0o777)
    with pytest.raises(KubepiError, match="can be changed by others"):
        kept(cache)


def test_a_cache_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to("real")
    with pytest.raises(KubepiError, match="can be changed by others"):
        kept(tmp_path / "cache")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_cache_of_somebody_else_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    kept(cache)
    os.chown(cache, 12345, 12345)
    with pytest.raises(KubepiError, match="can be changed by others"):
        kept(cache)


def test_the_cache_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path):
        other = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_root_has_its_own_cache() -> None:
    assert default_cache(0, {"XDG_CACHE_HOME": "/tmp/other"}) == Path("/var/cache/kubepi")
    assert default_cache(1000, {"XDG_CACHE_HOME": "/x"}) == Path("/x/kubepi")
    assert default_cache(1000, {}) == Path("~/.cache/kubepi").expanduser()


def packed(folder: Path, members: dict[str, bytes]) -> zipimporter:
    with ZipFile(folder / "kubepi.pyz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return zipimporter(str(folder / "kubepi.pyz"))


def test_no_build_for_this_python(tmp_path: Path) -> None:
    archive = packed(tmp_path, {"_netifaces.cpython-310-arm-linux-gnueabihf.so": CONTENT})
    with pytest.raises(KubepiError, match=f"carries no {NAME}") as failure:
        load_packed(archive, tmp_path / "cache")
    assert failure.value.hint == SUPPORTED
    assert not (tmp_path / "cache").exists()


def test_a_module_that_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(KubepiError, match="cannot be loaded"):
        load_packed(packed(tmp_path, {NAME: CONTENT}), tmp_path / "cache")


def test_no_place_for_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KubepiError, match="cannot keep"):
        load_packed(packed(tmp_path, {NAME: CONTENT}), tmp_path / "file" / "cache")


def noexec_folder() -> Path | None:
    """Some writable folder on a file system mounted noexec, as /run/lock is on Debian."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        folder = Path(line.split()[1])
        if "noexec" in line.split()[3].split(",") and folder.is_dir() and folder.stat().st_mode & 2:
            return folder
    return None


@pytest.mark.skipif(noexec_folder() is None, reason="no noexec file system to try it on")
def test_a_cache_mounted_noexec(tmp_path: Path) -> None:
    with TemporaryDirectory(dir=noexec_folder()) as cache:
        with pytest.raises(KubepiError, match="mounted noexec") as failure:
            load_packed(packed(tmp_path, {NAME: CONTENT}), Path(cache))
        assert "remount,exec" in failure.value.hint
