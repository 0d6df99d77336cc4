"""kubepi/steps/apt_lock.py: who holds apt's locks, named as a person knows it; real locks."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubepi.steps.apt import apt_get
from kubepi.steps.apt_lock import LOCKS, locked_by, program_name
from tests.fakes import FakePi
from tests.scene import fresh_pi

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print('has it', flush=True); sys.stdin.read()"  # noqa: E501 - one program


@contextmanager
def held(pi: FakePi, lock: str) -> Iterator[subprocess.Popen[str]]:
    """Another process has the lock, as apt takes it; until its stdin ends."""
    pi.put(lock, "")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(pi.path(lock))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "has it\n"
        pi.put(f"/proc/{process.pid}/cmdline", "/usr/bin/python3\0/usr/bin/unattended-upgrade\0")
        yield process


@pytest.mark.parametrize("lock", LOCKS)
def test_the_holder_is_named(tmp_path: Path, lock: str) -> None:
    pi = fresh_pi(tmp_path / "pi")
    assert locked_by(pi) is None
    with held(pi, lock) as process:
        assert locked_by(pi.read_only()) == f"held by unattended-upgrade (process {process.pid})"
    assert locked_by(pi) is None


def test_apt_waits_until_it_is_free_and_says_for_whom(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    shown: list[str] = []
    pi.on_wait = shown.append
    with held(pi, LOCKS[0]) as process:

        def let_go() -> None:
            if pi.clock.seconds > 1_800_000_120 and process.stdin is not None:
                process.stdin.close()
                process.wait()

        pi.clock.on_sleep.append(let_go)
        apt_get(pi, "update")
    assert pi.ran[-1][-1] == "update"
    assert len(shown) >= 60
    assert set(shown) == {
        f"waiting for apt's lock: held by unattended-upgrade (process {process.pid})"
    }


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("/usr/bin/apt-get\0install\0x\0", "apt-get"),
        ("/usr/bin/python3.13\0-u\0/usr/lib/x/frob\0", "frob"),
        ("/bin/sh\0/usr/lib/apt/apt.systemd.daily\0", "apt.systemd.daily"),
        ("python3\0", "python3"),
        ("", "a program that is gone"),
    ],
)
def test_names(tmp_path: Path, words: str, name: str) -> None:
    assert program_name(FakePi(tmp_path, {"/proc/812/cmdline": words}), 812) == name
