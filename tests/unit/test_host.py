"""kubepi/machine/host.py on real files below a temporary root, with real programs."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, ReadOnly, StepFailed
from kubepi.log import Log
from kubepi.machine.disk import Disk
from kubepi.machine.host import Host, ReadOnlyHost, Result
from kubepi.machine.programs import SYSTEM_PATH
from tests.fakes import FakePi, PowerCut


class FullDisk(Disk):
    """Has no room for the content of a file, or for a folder's name."""

    def __init__(self, full: str = "create", number: int = errno.ENOSPC) -> None:
        self._full = full
        self._error = OSError(number, "No space left on device")

    def create(self, path: Path, data: bytes, mode: int) -> None:
        super().create(path, data[: len(data) // 2], mode)
        if self._full == "create":
            raise self._error

    def fsync(self, path: Path) -> None:
        if self._full == "fsync":
            raise self._error

    def mkdir(self, path: Path, mode: int) -> None:
        if self._full == "mkdir":
            raise self._error
        super().mkdir(path, mode)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, Log(tmp_path / "log"))


# --- files --------------------------------------------------------------------------------


def test_a_file_is_there_with_content_and_mode(host: Host) -> None:
    host.write("/etc/a/b.conf", "text\n", 0o640)
    assert host.read("/etc/a/b.conf") == "text\n"
    assert (host.mode("/etc/a/b.conf"), host.mode("/etc/a")) == (0o640, 0o755)
    assert host.listdir("/etc/a") == ["b.conf"]
    host.write("/etc/a/b.conf", b"\xff", 0o600)
    assert host.read_bytes("/etc/a/b.conf") == b"\xff"
    assert host.mode("/etc/a/b.conf") == 0o600


def test_at_every_cut_a_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    seen = set()
    for effect in range(1, 6):
        pi = FakePi(tmp_path / str(effect), {"/etc/a": "old"})
        pi.die_at(effect)
        try:
            pi.write("/etc/a", "new")
        except PowerCut:
            pi.power_cut()
        else:
            assert pi.fake_disk.effects < effect
            pi.power_cut()
        seen.add(pi.read("/etc/a"))
    assert seen == {"old", "new"}


def test_a_file_that_was_written_survives_a_cut_in_a_new_folder(tmp_path: Path) -> None:
    pi = FakePi(tmp_path / "root", {"/etc/a": "old"})
    pi.write("/var/lib/x/y", "new", 0o600)
    pi.power_cut()
    assert (pi.read("/var/lib/x/y"), pi.mode("/var/lib/x/y")) == ("new", 0o600)


@pytest.mark.parametrize("full", ["create", "fsync"])
def test_a_full_disk_leaves_the_old_file_and_says_so(host: Host, full: str) -> None:
    host.write("/etc/a", "the old content")
    host.disk = FullDisk(full)
    with pytest.raises(StepFailed) as caught:
        host.write("/etc/a", "the new content")
    assert caught.value.sentence == "cannot write /etc/a: No space left on device"
    assert "df -h" in caught.value.hint
    assert host.read("/etc/a") == "the old content"
    assert host.listdir("/etc") == ["a"]


def test_no_room_for_the_folder_is_told_the_same_way(host: Host) -> None:
    host.disk = FullDisk("mkdir")
    with pytest.raises(StepFailed, match="cannot write /etc/a"):
        host.write("/etc/a", "text")


READ_ONLY_CARD = """
import sys
from pathlib import Path
from kubepi.errors import StepFailed
from kubepi.machine.host import Host
try:
    Host(Path(sys.argv[1])).write("/a", "new")
except StepFailed as error:
    print(error.sentence)
"""


def test_a_card_that_went_read_only_is_told_in_a_sentence(tmp_path: Path) -> None:
    """What the kernel makes of a worn SD card; a mount of our own in a namespace of our own."""
    mount = f"mount -t tmpfs none {tmp_path} && mount -o remount,ro {tmp_path}"
    unshare = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*unshare, mount], capture_output=True).returncode:
        pytest.skip("mounts are not allowed here")
    program = f'{mount} && "$0" -c "$1" {tmp_path}'
    done = subprocess.run(
        [*unshare, program, sys.executable, READ_ONLY_CARD],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout == "cannot write /a: Read-only file system\n", done.stderr


@pytest.mark.parametrize("target", ["/real/a", "a-real", "../real/a"])
def test_a_file_behind_a_link_is_written_there_and_never_outside_the_root(
    host: Host, target: str
) -> None:
    host.write("/etc/a-real", "old")
    host.write("/real/a", "old")
    host.symlink("/etc/a", target)
    host.write("/etc/a", "new")
    assert host.link_target("/etc/a") == target
    assert "new" in (host.read("/real/a"), host.read("/etc/a-real"))


def test_the_mode_of_a_file_behind_a_link_is_its_own(host: Host) -> None:
    host.write("/etc/real", "x", 0o600)
    host.symlink("/etc/a", "real")
    assert host.mode("/etc/a") == 0o600


def test_what_was_written_behind_an_absolute_link_is_read_there(host: Host) -> None:
    host.write("/kubepi-test/real", "old")
    host.symlink("/etc/a", "/kubepi-test/real")
    host.write("/etc/a", "new")
    assert host.read("/etc/a") == "new"


def test_what_is_not_there_is_none_and_nothing(host: Host) -> None:
    host.write("/file", "x")
    for name in ("/none", "/file/below"):
        assert (host.read(name), host.read_bytes(name), host.mode(name)) == (None, None, None)
        assert host.listdir(name) == []
        assert not host.exists(name)
        host.remove(name)
        host.remove_tree(name)
        host.remove_empty(name)
    assert host.read("/") is None


def test_removing(host: Host) -> None:
    for name in ("/a/b/c", "/a/d", "/a/e/f"):
        host.write(name, "x")
    host.symlink("/a/link", "/a/b")
    host.remove_empty("/a/b")
    assert host.exists("/a/b/c")
    host.remove_tree("/a/link")
    assert host.exists("/a/link")
    host.empty("/a")
    assert host.listdir("/a") == []
    host.remove_empty("/a")
    assert not host.exists("/a")


# --- programs -----------------------------------------------------------------------------


def script(host: Host, text: str) -> list[str]:
    path = host.path("/program")
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return [str(path), "it's", "two words"]


def test_a_program_answers(host: Host) -> None:
    argv = script(host, 'cat; echo "$1|$2"; echo loud >&2')
    found = host.run(argv, stdin="typed\n")
    assert found == Result(tuple(argv), 0, "typed\nit's|two words\n", "loud\n")
    assert host.probe(argv).stdout == "it's|two words\n", "without stdin it reads an empty one"


def test_a_failed_probe_is_an_answer(host: Host) -> None:
    found = host.probe(script(host, "echo no; exit 3"))
    assert (found.code, found.ok, found.stdout) == (3, False, "no\n")


def test_a_failed_command_shows_a_line_to_paste_and_its_last_ten_lines(host: Host) -> None:
    argv = script(host, "for n in 1 2 3 4 5 6 7 8 9 10 11; do echo line $n; done; exit 7")
    with pytest.raises(CommandFailed) as caught:
        host.run(argv)
    first, pasted, *last = caught.value.sentence.splitlines()
    assert first == f"{argv[0]} failed with code 7:"
    assert pasted == f"  # {argv[0]} 'it'\"'\"'s' 'two words'"
    assert last == [f"  line {number}" for number in range(2, 12)]
    assert "line 1\n" in caught.value.output
    assert "/var/log/kubepi.log" in caught.value.hint


def test_secrets_are_kept_out_of_the_failure(host: Host) -> None:
    host.log.hide("canary-secret")
    with pytest.raises(CommandFailed) as caught:
        host.run([*script(host, "echo canary-secret; exit 1"), "canary-secret"])
    assert "canary-secret" not in f"{caught.value.sentence} {caught.value.output}"
    assert "canary-secret" not in host.path("/log").read_text()


def test_a_program_that_is_not_there(host: Host) -> None:
    assert host.probe(["kubeadm-that-is-nowhere"]).code == 127
    with pytest.raises(CommandFailed, match="kubeadm-that-is-nowhere is not installed"):
        host.run(["kubeadm-that-is-nowhere", "init"])


def test_a_program_that_does_not_end(host: Host) -> None:
    argv = script(host, "exec sleep 60")
    assert host.probe(argv, timeout=0.2).code == 124
    with pytest.raises(CommandFailed, match="did not end within 0 s"):
        host.run(argv, timeout=0.2)


def test_what_a_program_said_before_its_time_was_up_is_shown(host: Host) -> None:
    with pytest.raises(CommandFailed, match="waiting for the kubelet"):
        host.run(script(host, "echo waiting for the kubelet; exec sleep 60"), timeout=0.5)


def test_a_program_that_may_not_be_run(host: Host) -> None:
    argv = script(host, "")
    Path(argv[0]).chmod(0o644)
    assert host.probe(argv).code == 126


def test_a_program_that_a_power_cut_emptied(host: Host) -> None:
    argv = script(host, "")
    Path(argv[0]).write_bytes(b"")
    assert host.probe(argv).code == 126


def test_the_environment_is_small_and_fixed(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("KUBECONFIG", "/home/ann/.kube/config")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    rows = host.probe([str(shutil.which("env"))]).stdout.splitlines()
    found = dict(row.split("=", 1) for row in rows)
    found.pop("_", None)
    assert found == {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
    }  # fmt: skip
    told = host.run([str(shutil.which("env"))], environment={"HTTPS_PROXY": "http://p:1"})
    assert "HTTPS_PROXY=http://p:1\n" in told.stdout
    # on the Pi itself PATH is not the caller's
    outside = Host().probe(["env"]).stdout
    assert f"PATH={SYSTEM_PATH}\n" in outside


# --- the read-only host -------------------------------------------------------------------


def test_a_read_only_host_looks_and_changes_nothing(host: Host, tmp_path: Path) -> None:
    host.write("/a", "x")
    closed = ReadOnlyHost(tmp_path)
    assert closed.read("/a") == "x"
    assert closed.probe(script(host, "echo yes")).stdout == "yes\n"
    for change in (
        lambda: closed.write("/b", "y"), lambda: closed.remove("/a"), lambda: closed.mkdir("/c"),
        lambda: closed.remove_tree("/"), lambda: closed.symlink("/l", "a"), closed.sync,
        lambda: closed.chmod("/a", 0), lambda: closed.chown("/a", 0, 0),
        lambda: closed.run(["true"]),
    ):  # fmt: skip
        with pytest.raises(ReadOnly):
            change()
    assert host.read("/a") == "x"
