"""kubepi/machine/looking.py and a watch over programs: room, locks, and what is asked meanwhile."""

from pathlib import Path

import pytest

from kubepi.errors import StepFailed
from kubepi.log import Log
from kubepi.machine.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_program_is_watched_while_it_runs(host: Host) -> None:
    seen: list[int] = []
    script = "seq 30000; while [ ! -e $0/seen ]; do sleep 0.05; done; echo ended"

    def watch() -> None:
        seen.append(1)
        host.write("/seen", "")

    done = host.run(["sh", "-c", script, str(host.root)], watch=watch)
    assert seen
    assert done.stdout.splitlines() == [*map(str, range(1, 30001)), "ended"]


def test_what_a_watch_raises_ends_the_program(host: Host) -> None:
    def watch() -> None:
        raise StepFailed("enough")

    with pytest.raises(StepFailed, match="enough"):
        host.run(["sh", "-c", "echo $$ > $0/pid; exec sleep 600", str(host.root)], watch=watch)
    process = (host.read("/pid") or "").strip()
    assert process
    assert not Path("/proc", process).exists()


def test_a_glance_is_not_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    host = Host(tmp_path, Log(log))
    assert host.glance(["echo", "something"]) == "something\n"
    assert host.glance(["false"]) is None
    assert "something" not in (log.read_text() if log.exists() else "")


def test_room_is_that_of_the_next_folder_that_is_there(host: Host) -> None:
    there = host.free_bytes("/")
    assert there > 0
    assert abs(host.free_bytes("/var/lib/containerd/not/there") - there) < 10**9


def test_a_file_that_nobody_locks_or_that_is_not_there(host: Host) -> None:
    host.write("/var/lib/dpkg/lock", "")
    assert host.file_lock_holder("/var/lib/dpkg/lock") is None
    assert host.file_lock_holder("/var/lib/dpkg/other") is None


def test_a_display_is_thrown_away_and_an_error_is_not(host: Host) -> None:
    done = host.run(["sh", "-c", "echo 41 of 187 MB; echo odd >&2"], drops_stdout=True)
    assert (done.stdout, done.stderr) == ("", "odd\n")
