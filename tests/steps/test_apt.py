"""kubepi/steps/apt.py and its first step: packages of the OS, mended, and told when they fail."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, NotYet
from kubepi.machine import state
from kubepi.steps.apt import added, installed
from kubepi.steps.packages import AptPackages
from tests.fakes import Answer, FakePi
from tests.programs import STATUS
from tests.scene import KIT, fresh_pi
from tests.steps.lawful import obeys

OS_PACKAGES = AptPackages(("containerd", "iptables", "socat"), KIT)


def last_apt(pi: FakePi, verb: str) -> list[str]:
    """The words behind the verb of the last apt-get run."""
    argv = [argv for argv in pi.ran if argv[0] == "apt-get" and verb in argv][-1]
    return list(argv[argv.index(verb) + 1 :])


# --- packages of the OS ---------------------------------------------------------------------


def test_packages_obey_the_laws(tmp_path: Path) -> None:
    pi = obeys(OS_PACKAGES, fresh_pi, tmp_path)
    assert set(installed(pi, OS_PACKAGES.packages)) == set(OS_PACKAGES.packages)
    # iptables was there before, runc came with containerd
    assert set(added(pi)) == {"containerd", "runc", "socat"}


def test_only_what_is_missing_is_installed(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    assert str(OS_PACKAGES.check(pi.read_only())) == "missing: containerd socat"
    OS_PACKAGES.apply(pi)
    assert last_apt(pi, "install") == ["containerd", "socat"]


def test_a_package_that_the_kit_holds_is_taken_from_there(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    AptPackages(("kubectl", "socat"), KIT).apply(pi)
    file = str(pi.path(f"{KIT}/debs/kubectl_1.36.3-1.1_amd64.deb"))
    assert last_apt(pi, "install") == [file, "socat"]


def test_a_half_installed_package_is_mended_first(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.put(STATUS, "iptables 1.0-1\nsocat half\n")
    assert "socat" in str(OS_PACKAGES.check(pi.read_only()))
    OS_PACKAGES.apply(pi)
    assert pi.ran[0][0] == "dpkg"
    assert "--fix-broken" in pi.ran[1]
    assert OS_PACKAGES.check(pi.read_only()) is None


def test_apt_waits_for_others_and_asks_nothing(tmp_path: Path) -> None:
    """unattended-upgrades hold the lock for minutes at a first boot."""
    pi = fresh_pi(tmp_path / "pi")
    OS_PACKAGES.apply(pi)
    for argv in (argv for argv in pi.ran if argv[0] == "apt-get"):
        assert {"-y", "DPkg::Lock::Timeout=5", "Dpkg::Options::=--force-confold"} <= set(argv)


class Lists:
    """apt-get that knows no package before its lists are new."""

    def __init__(self, pi: FakePi) -> None:
        self.inner = pi.programs[("apt-get",)].script
        self.are_new = False
        pi.changes("apt-get", script=self)

    def __call__(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "update" in argv:
            self.are_new = True
            return 0, ""
        if not self.are_new:
            return 100, "E: Unable to locate package containerd"
        answer = self.inner(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)


def test_with_old_lists_it_updates_and_tries_once_more(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    Lists(pi)
    OS_PACKAGES.apply(pi)
    assert OS_PACKAGES.check(pi.read_only()) is None
    assert set(added(pi)) == {"containerd", "runc", "socat"}


def test_a_package_that_nobody_has_is_told_as_apt_tells_it(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    pi.changes("apt-get", script=lambda pi, argv, stdin: (
        (0, "") if "update" in argv else (100, "E: Unable to locate package containerd")
    ))  # fmt: skip
    with pytest.raises(CommandFailed, match="E: Unable to locate package containerd"):
        OS_PACKAGES.apply(pi)


def test_where_the_line_is_down_that_is_told_and_not_what_follows_from_it(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    down = "E: Failed to fetch http://deb.debian.org/debian/x  Could not connect to deb.debian.org"
    pi.changes("apt-get", script=lambda pi, argv, stdin: (
        (100, down if "update" in argv else "E: Unable to locate package containerd")
    ))  # fmt: skip
    with pytest.raises(CommandFailed) as caught:
        OS_PACKAGES.apply(pi)
    first, command, *_ = caught.value.sentence.splitlines()
    assert first == "the package repository deb.debian.org: nobody answers there"
    assert command == "apt-get failed with code 100:"
    assert "run the same command again" in caught.value.hint


def test_a_list_that_is_not_needed_may_fail(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    inner = pi.programs[("apt-get",)].script
    asked: list[str] = []

    def apt_get(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        asked.append("update" if "update" in argv else "install")
        if len(asked) == 1 or "update" in argv:
            return 100, "E: something"
        answer = inner(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)

    pi.changes("apt-get", script=apt_get)
    OS_PACKAGES.apply(pi)
    assert OS_PACKAGES.check(pi.read_only()) is None
    assert "update" in asked


def test_a_lock_that_somebody_took_first_is_waited_for(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    inner = pi.programs[("apt-get",)].script
    tries: list[Sequence[str]] = []

    def apt_get(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "--simulate" not in argv:
            tries.append(argv)
            if len(tries) == 1:
                return 100, "E: Could not get lock /var/lib/dpkg/lock-frontend."
        answer = inner(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)

    pi.changes("apt-get", script=apt_get)
    OS_PACKAGES.apply(pi)
    assert tries == [tries[0]] * 2


def test_nothing_that_is_there_is_removed_for_it(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    OS_PACKAGES.apply(pi)
    installs = [argv for argv in pi.ran if "install" in argv]
    assert installs
    assert all("--no-remove" in argv for argv in installs)


def test_an_upgrade_of_what_was_there_is_nothing_new(tmp_path: Path) -> None:
    """A reset must not purge it."""
    pi = fresh_pi(tmp_path / "pi")
    plan = (
        "NOTE: This is only a simulation!\n"
        "Inst libc6 [2.41-1] (2.41-2 Debian:13/stable [arm64])\n"
        "Inst runc (1.1.15 Debian:13/stable [arm64])\n"
        "Inst containerd (1.7.24 Debian:13/stable [arm64]) []\n"
        "Conf libc6 (2.41-2 Debian:13/stable [arm64])\n"
    )
    pi.changes("apt-get", script=lambda *_: (0, plan))
    OS_PACKAGES.apply(pi)
    assert set(added(pi)) == {"containerd", "runc"}
    assert pi.mode(state.ADDED_PACKAGES) == 0o600


def test_without_dpkg_nothing_can_be_said(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    pi.looks("dpkg-query", script=lambda *_: (127, "not found"))
    with pytest.raises(NotYet, match="dpkg"):
        OS_PACKAGES.check(pi.read_only())


def test_only_what_is_completely_there_is_installed(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    rows = (
        "a installed 1.0\nb half-configured 1.0\nc config-files 1.0\nd not-installed \n"
        "dpkg-query: no packages found matching e\n"
    )
    pi.looks("dpkg-query", script=lambda *_: (0, rows))
    assert installed(pi, ("a", "b", "c", "d", "e")) == {"a": "1.0"}
