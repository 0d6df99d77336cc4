"""Host name and a cloned card's identity (pain points 8 and 9)."""

import re
from pathlib import Path

import pytest

from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.steps.identity import (
    HOSTNAME,
    HOSTS,
    IDENTITY,
    MACHINE_ID,
    RUNNING_NAME,
    HostNamed,
    HostNameRestored,
    UniqueIdentity,
)
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

OLD_ID = "0123456789abcdef0123456789abcdef\n"
KEYS = tuple(f"/etc/ssh/ssh_host_{kind}_key" for kind in ("ecdsa", "ed25519", "rsa"))


def cloned(root: Path, made_for: str = "10000000ffffffff") -> FakePi:
    """A card copied from another board, on which kubepi ran."""
    pi = pi_of("pi4b-trixie", root)
    pi.put(MACHINE_ID, OLD_ID, 0o444)
    pi.put("/var/lib/dbus/machine-id", OLD_ID)
    pi.put("/usr/sbin/sshd", "", 0o755)
    pi.put("/etc/ssh/sshd_config", "")
    for key in KEYS:
        pi.put(key, "the other board's\n", 0o600)
        pi.put(f"{key}.pub", "the other board's\n")
    pi.path("/var/lib/kubepi").mkdir(mode=0o700)
    if made_for:
        pi.put(IDENTITY, f"{made_for}\n", 0o600)
    return pi


def serial(tmp_path: Path) -> str:
    found = look(pi_of("pi4b-trixie", tmp_path / "facts")).board.serial
    assert found is not None
    return found


def test_a_cloned_card_gets_its_own_identity(tmp_path: Path) -> None:
    own = serial(tmp_path)
    pi = obeys(UniqueIdentity(own), cloned, tmp_path)
    made = pi.read(MACHINE_ID) or ""
    assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\n", made)
    assert made != OLD_ID
    assert pi.read("/var/lib/dbus/machine-id") == made
    assert pi.mode(MACHINE_ID) == 0o444
    assert all((pi.read(key) or "").startswith("new ") for key in KEYS)
    assert pi.read(state.REBOOT) == f"a machine-id of its own for {own}\n"
    assert pi.read(IDENTITY) == f"{own}\n"


def test_the_first_run_only_writes_down_the_serial(tmp_path: Path) -> None:
    pi = obeys(UniqueIdentity("abc"), lambda root: cloned(root, made_for=""), tmp_path)
    assert pi.read(MACHINE_ID) == OLD_ID
    assert not pi.exists(state.REBOOT)


def test_linked_machine_id_and_no_sshd(tmp_path: Path) -> None:
    """Debian links dbus's file to the first; a link is left alone."""
    pi = pi_of("pi4b-bookworm", tmp_path / "pi")
    pi.put(MACHINE_ID, OLD_ID, 0o444)
    pi.put(IDENTITY, "another\n")
    pi.path("/var/lib/dbus").mkdir()
    pi.path("/var/lib/dbus/machine-id").symlink_to("/etc/machine-id")
    UniqueIdentity("abc").apply(pi)
    assert pi.read(MACHINE_ID) != OLD_ID
    assert pi.link_target("/var/lib/dbus/machine-id") == "/etc/machine-id"
    assert pi.ran == []


@pytest.mark.parametrize("board", ["pi4b-trixie", "pi4b-ubuntu-24.04", "pc-debian"])
def test_a_new_name_and_the_old_one_again(board: str, tmp_path: Path) -> None:
    before = pi_of(board, tmp_path / "before").tree(ignoring=("/var/lib/kubepi",))
    step = HostNamed("pi-b5c6d7e8")
    pi = obeys(step, lambda root: pi_of(board, root), tmp_path)
    assert pi.read(HOSTNAME) == "pi-b5c6d7e8\n"
    assert pi.read(RUNNING_NAME) == "pi-b5c6d7e8\n"
    assert "\n127.0.1.1\tpi-b5c6d7e8\n" in (pi.read(HOSTS) or "")
    back = HostNameRestored()
    assert back.check(pi.read_only()) is not None
    back.apply(pi)
    assert back.check(pi.read_only()) is None
    assert pi.tree(ignoring=("/var/lib/kubepi",)) == before


def test_the_way_back_obeys_the_laws(tmp_path: Path) -> None:
    def named(root: Path) -> FakePi:
        pi = pi_of("pi4b-trixie", root)
        HostNamed("pi-1").apply(pi)
        return pi

    obeys(HostNameRestored(), named, tmp_path)


def test_a_name_that_is_right_is_left_alone(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    assert HostNamed("raspberrypi").check(pi.read_only()) is None
    before = pi.tree()
    HostNameRestored().apply(pi)
    assert pi.tree() == before


def test_a_name_that_only_the_file_has(tmp_path: Path) -> None:
    """After a power cut between the file and the running kernel."""
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    pi.put(HOSTNAME, "pi-1\n")
    assert str(HostNamed("pi-1").check(pi.read_only())) == "is still raspberrypi until it is set"
    HostNamed("pi-1").apply(pi)
    assert HostNamed("pi-1").check(pi.read_only()) is None


def test_a_third_name_replaces_the_second(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    HostNamed("pi-1").apply(pi)
    HostNamed("pi-2").apply(pi)
    assert "pi-1" not in (pi.read(HOSTS) or "")
    HostNameRestored().apply(pi)
    assert pi.read(HOSTNAME) == "raspberrypi\n"
