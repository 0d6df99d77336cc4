"""A FakePi with the files of a folder in tests/boards, and its programs with their effects."""

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path

from tests.fakes import Answer, FakePi

BOARDS = Path(__file__).parent
RUNNING_NAME = "/proc/sys/kernel/hostname"
SWAPS = "/proc/swaps"


def pi_of(board: str, folder: Path) -> FakePi:
    """`folder` must not exist yet, so that a test can have several Pis in one tmp_path."""
    shutil.copytree(BOARDS / board / "root", folder, symlinks=True)
    pi = FakePi(folder)
    pi.changes("systemctl", "daemon-reload", script=_nothing)
    pi.changes("systemctl", "try-restart", script=_nothing)
    pi.changes("systemctl", "try-reload-or-restart", script=_nothing)
    pi.changes("hostname", script=_hostname)
    pi.changes("swapoff", "-a", script=_swapoff)
    pi.changes("ssh-keygen", "-A", script=_ssh_keygen)
    return pi


def _nothing(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
    yield
    return 0, ""


def _hostname(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
    yield
    pi.put(RUNNING_NAME, f"{argv[1]}\n")
    return 0, ""


def _swapoff(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
    yield
    head = (pi.read(SWAPS) or "").partition("\n")[0]
    pi.put(SWAPS, f"{head}\n")
    return 0, ""


def _ssh_keygen(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
    """As `ssh-keygen -A`: makes what is missing, from the board's own randomness."""
    for kind in ("ecdsa", "ed25519", "rsa"):
        path = f"/etc/ssh/ssh_host_{kind}_key"
        if not pi.exists(path):
            yield
            pi.path(path).write_text(f"new {kind} key\n")
            pi.path(f"{path}.pub").write_text(f"new {kind} public key\n")
            pi.fake_disk.make_all_durable()
    return 0, ""
