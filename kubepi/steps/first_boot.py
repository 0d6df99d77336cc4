"""Who may log in on a Pi from a prepared card, and its time zone: like an imager's settings.

They are the system's from then on: `reset` leaves them, or nobody could log in any more.
May touch: that user and its home, an own file in /etc/sudoers.d, /etc/localtime and timezone.
Tests: tests/steps/test_first_boot.py.
"""

from dataclasses import dataclass

from kubepi.errors import StepFailed
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.services import unit_state

PASSWD = "/etc/passwd"
SUDOERS = "/etc/sudoers.d/90-kubepi-user"
# Raspberry Pi OS's own way to turn its locked `pi` into a user (RPi-Distro/userconf-pi)
USERCONF, WIZARD = "/usr/lib/userconf-pi/userconf", "userconfig.service"
SSHD, SSH = "/usr/sbin/sshd", "ssh.service"
SHELL = "/bin/bash"
NO_SHELLS = ("nologin", "false")
ZONES, LOCALTIME, TIMEZONE = "/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone"


@dataclass(frozen=True)
class Account:
    """A line of /etc/passwd."""

    uid: int
    gid: int
    home: str
    shell: str


def account(host: Host, user: str) -> Account | None:
    for line in (host.read(PASSWD) or "").splitlines():
        name, *rest = line.split(":")
        if name == user and len(rest) == 6:
            return Account(int(rest[1]), int(rest[2]), rest[4], rest[5])
    return None


@dataclass(frozen=True)
class LoginUser:
    """A user without a password, who logs in with these keys and may use sudo."""

    user: str
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"user {self.user}"

    def check(self, host: Host) -> Finding | None:
        found = account(host, self.user)
        if found is None:
            return Finding("is missing")
        if found.shell.endswith(NO_SHELLS):
            return Finding(f"has the shell {found.shell}")
        if self._missing_keys(host, found):
            return Finding("lacks a key")
        if host.read(SUDOERS) != self._sudoers or host.mode(SUDOERS) != 0o440:
            return Finding("may not use sudo")
        if _waits_for_a_keyboard(host):
            return Finding(f"is asked for at the keyboard by {WIZARD}")
        return None if _ssh_is_on(host) else Finding("cannot log in: ssh is off")

    def apply(self, host: Host) -> None:
        if _waits_for_a_keyboard(host):
            # "": no password, which leaves the one that is there, a locked one
            host.run([USERCONF, self.user, ""])
        if account(host, self.user) is None:
            host.run(["useradd", "--create-home", "--shell", SHELL, self.user])
        found = account(host, self.user)
        if found is None:
            raise StepFailed(f"the user {self.user} was made, and is not in {PASSWD}")
        if found.shell.endswith(NO_SHELLS):
            host.run(["usermod", "--shell", SHELL, self.user])
        self._give_keys(host, found)
        host.write(SUDOERS, self._sudoers, 0o440)
        if not _ssh_is_on(host):
            host.run(["systemctl", "enable", SSH])

    @property
    def _sudoers(self) -> str:
        return f"{self.user} ALL=(ALL) NOPASSWD: ALL\n"

    def _missing_keys(self, host: Host, found: Account) -> list[str]:
        there = (host.read(f"{found.home}/.ssh/authorized_keys") or "").splitlines()
        return [key for key in self.keys if key not in there]

    def _give_keys(self, host: Host, found: Account) -> None:
        missing = self._missing_keys(host, found)
        if not missing:
            return
        folder = f"{found.home}/.ssh"
        for needed in (found.home, folder):
            # a cut may have left useradd's user without a home
            if not host.is_dir(needed):
                host.mkdir(needed, 0o700)
            host.chown(needed, found.uid, found.gid)
        before = host.read(f"{folder}/authorized_keys") or ""
        text = before + ("" if before.endswith("\n") or not before else "\n")
        text += "".join(f"{key}\n" for key in missing)
        host.write(f"{folder}/authorized_keys", text, 0o600, (found.uid, found.gid))


def _waits_for_a_keyboard(host: Host) -> bool:
    return host.exists(USERCONF) and unit_state(host, WIZARD).get("UnitFileState") == "enabled"


def _ssh_is_on(host: Host) -> bool:
    """Also where there is none: that is not for kubepi to install."""
    return not host.exists(SSHD) or unit_state(host, SSH).get("UnitFileState") == "enabled"


@dataclass(frozen=True)
class TimeZone:
    """As timedatectl sets it, which needs a D-Bus that a first boot does not have yet.

    A zone that this system does not know (US/Eastern is in a package of its own since trixie)
    stops no first boot: nobody is there to choose another one.
    """

    zone: str

    @property
    def name(self) -> str:
        return f"time zone {self.zone}"

    @property
    def _file(self) -> str:
        return f"{ZONES}/{self.zone}"

    def check(self, host: Host) -> Finding | None:
        if not host.exists(self._file):
            return None
        link = host.link_target(LOCALTIME) or ""
        if link != self._file:
            return Finding(f"is {link.rpartition('zoneinfo/')[2] or 'not set'}")
        there = (host.read(TIMEZONE) or "").strip()
        return None if there == self.zone else Finding(f"is {there or 'missing'} in {TIMEZONE}")

    def apply(self, host: Host) -> None:
        if host.link_target(LOCALTIME) != self._file:
            host.symlink(LOCALTIME, self._file)
        host.write(TIMEZONE, f"{self.zone}\n")
