"""kubepi/steps/first_boot.py: somebody can log in on a Pi from a prepared card."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.steps.first_boot import (
    PASSWD,
    SUDOERS,
    TIMEZONE,
    USERCONF,
    WIZARD,
    LoginUser,
    TimeZone,
    account,
)
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.login_programs import ROOT, install_login
from tests.programs import WANTS, install_programs
from tests.steps.lawful import obeys

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann"
LOCKED = "pi:x:1000:1000:,,,:/home/pi:/usr/sbin/nologin\n"
ANN = LoginUser("ann", (KEY,))


def plain(folder: Path) -> FakePi:
    """A Debian with sshd, and nobody but root."""
    pi = pi_of("pi4b-trixie", folder)
    install_programs(pi)
    install_login(pi)
    pi.fake_disk.make_all_durable()
    return pi


def pi_os(folder: Path) -> FakePi:
    """As Raspberry Pi OS comes: `pi` is locked, and a wizard waits for a keyboard."""
    pi = plain(folder)
    pi.put(PASSWD, ROOT + LOCKED)
    pi.put("/home/pi/.profile", "")
    pi.put(USERCONF, "#!/bin/sh\n", 0o755)
    pi.put(f"/usr/lib/systemd/system/{WIZARD}", "")
    pi.path(f"{WANTS}/{WIZARD}").symlink_to(f"/usr/lib/systemd/system/{WIZARD}")
    pi.fake_disk.make_all_durable()
    return pi


@pytest.mark.parametrize("make", [plain, pi_os])
def test_the_laws_of_a_user(make: Callable[[Path], FakePi], tmp_path: Path) -> None:
    pi = obeys(LoginUser("ann", (KEY,)), make, tmp_path)
    found = account(pi, "ann")
    assert found is not None and found.shell == "/bin/bash"
    assert pi.read(f"{found.home}/.ssh/authorized_keys") == f"{KEY}\n"
    assert pi.read(SUDOERS) == "ann ALL=(ALL) NOPASSWD: ALL\n"
    assert not pi.exists(f"{WANTS}/{WIZARD}")
    assert pi.exists(f"{WANTS}/ssh.service")


def test_the_laws_of_a_time_zone(tmp_path: Path) -> None:
    pi = obeys(TimeZone("Europe/Oslo"), plain, tmp_path)
    assert pi.link_target("/etc/localtime") == "/usr/share/zoneinfo/Europe/Oslo"
    assert pi.read(TIMEZONE) == "Europe/Oslo\n"


def test_keys_that_are_there_stay(tmp_path: Path) -> None:
    pi = plain(tmp_path / "pi")
    pi.put(PASSWD, f"{ROOT}ann:x:1000:1000::/home/ann:/bin/bash\n")
    pi.put("/home/ann/.ssh/authorized_keys", "ssh-rsa mine")
    ANN.apply(pi)
    assert pi.read("/home/ann/.ssh/authorized_keys") == f"ssh-rsa mine\n{KEY}\n"


def test_a_user_that_an_imager_made_is_not_renamed(tmp_path: Path) -> None:
    pi = pi_os(tmp_path / "pi")
    pi.put(PASSWD, f"{ROOT}bob:x:1000:1000::/home/bob:/bin/bash\n")
    pi.remove(f"{WANTS}/{WIZARD}")
    ANN.apply(pi)
    assert account(pi, "bob") is not None and account(pi, "ann") is not None


def test_a_time_zone_that_this_system_does_not_know_stops_nothing(tmp_path: Path) -> None:
    pi = plain(tmp_path / "pi")
    before = pi.tree()
    assert TimeZone("US/Eastern").check(pi) is None
    assert pi.tree() == before
