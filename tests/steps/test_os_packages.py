"""kubepi/steps/os_packages.py: Debian's packages, on an empty node, and a boot where needed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kubepi.decide.upgrade import OS, Upgrade, cause
from kubepi.errors import CommandFailed
from kubepi.machine import state, upgrading
from kubepi.steps.os_packages import BootWanted, EmptiedForOs, ListsFetched, OsPackages
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import objects_of, put_objects
from tests.programs import Effects, write_durably
from tests.steps.lawful import obeys
from tests.steps.test_cordon import pod
from tests.upgrade_scene import old_node

OLD_PACKAGES = "/var/lib/dpkg/old-packages"  # of the fake: names, a line each
Made = Callable[[Path], FakePi]


def full_upgrade(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects | Answer:
    names = (pi.read(OLD_PACKAGES) or "").split()
    if "--simulate" in argv:
        return 0, "".join(f"Inst {name} [1] (2 Debian:13 [arm64])\n" for name in names)
    if "full-upgrade" not in argv:
        return 0, ""
    return _one_by_one(pi, names)


def _one_by_one(pi: FakePi, names: list[str]) -> Effects:
    for number in range(1, len(names) + 1):
        yield
        write_durably(pi, OLD_PACKAGES, "".join(f"{name}\n" for name in names[number:]))
    return 0, ""


def behind(*names: str, kernels: Sequence[str] = (), begun: bool = True) -> Made:
    def make(folder: Path) -> FakePi:
        pi = old_node(folder)
        pi.changes("apt-get", script=full_upgrade)
        pi.put(OLD_PACKAGES, "".join(f"{name}\n" for name in names))
        for kernel in kernels:
            pi.put(f"/lib/modules/{kernel}/modules.dep", "")
        put_objects(pi, {"Node//pi8": {"metadata": {"name": "pi8"}}} | pod("a"))
        if begun:
            upgrading.begin(pi, Upgrade(OS))
        pi.fake_disk.make_all_durable()
        return pi

    return make


def test_the_lists_are_fetched_once_in_an_upgrade(tmp_path: Path) -> None:
    pi = obeys(ListsFetched(), behind(), tmp_path)
    assert "update" in next(argv for argv in pi.ran if argv[0] == "apt-get")


def test_every_package_that_is_not_held(tmp_path: Path) -> None:
    pi = obeys(OsPackages(), behind("openssl", "tzdata"), tmp_path)
    argv = [argv for argv in pi.ran if "full-upgrade" in argv][-1]
    assert "--allow-change-held-packages" not in argv


def test_a_node_is_emptied_only_where_there_is_something_to_do(tmp_path: Path) -> None:
    pi = behind()(tmp_path / "idle")
    assert EmptiedForOs(False, True).check(pi.read_only()) is None
    pi = obeys(EmptiedForOs(False, True), behind("openssl"), tmp_path)
    assert not [key for key in objects_of(pi) if key.startswith("Pod")]
    waits = behind()(tmp_path / "waits")
    waits.put("/run/reboot-required", "")
    assert EmptiedForOs(False, True).check(waits.read_only()) is not None


def test_a_boot_is_wanted_for_a_newer_kernel(tmp_path: Path) -> None:
    newer = behind(kernels=("6.12.0", "6.12.9"))
    pi = obeys(BootWanted(), newer, tmp_path)
    assert pi.read(state.REBOOT) == "kernel 6.12.9\n"
    tried = newer(tmp_path / "tried")
    tried.put(state.REBOOTED_FOR, "kernel 6.12.9\n")
    assert BootWanted().check(tried.read_only()) is None, "it is not booted, for whatever reason"
    assert BootWanted().check(behind(kernels=("6.12.0",))(tmp_path / "same").read_only()) is None


def test_a_boot_is_wanted_for_what_a_package_says(tmp_path: Path) -> None:
    pi = behind()(tmp_path / "pi")
    pi.put("/run/reboot-required", "*** System restart required ***\n")
    BootWanted().apply(pi)
    assert pi.read(state.REBOOT) == "upgraded packages\n"
    assert BootWanted().check(pi.read_only()) is None


class Apt:
    """It fails until its lists are new; then whatever `after` says."""

    def __init__(self, pi: FakePi, fails: str, lists: Answer = (0, ""), after: str = "") -> None:
        self.said, self.lists, self.after = fails, lists, after
        pi.changes("apt-get", script=self)

    def __call__(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Effects | Answer:
        if "update" in argv:
            self.said = self.said if self.lists[0] else self.after
            return self.lists
        if "--simulate" not in argv and self.said:
            return 100, self.said
        return full_upgrade(pi, argv, stdin)


GONE = "E: Failed to fetch http://deb.debian.org/x.deb  404  Not Found [IP: 10.0.0.9 80]"
BROKEN = "dpkg: error processing package openssl (--configure):\n installed openssl package"


def test_lists_of_last_month_are_fetched_anew(tmp_path: Path) -> None:
    """A node that failed, or was off, goes on with versions that the mirrors have now."""
    for word in (GONE, BROKEN):
        pi = behind("openssl")(tmp_path / word[:2])
        Apt(pi, word)
        OsPackages().apply(pi)
        assert OsPackages().check(pi.read_only()) is None


@pytest.mark.parametrize("lists", [(0, ""), (100, "E: Could not connect to deb.debian.org")])
def test_a_package_that_fails_is_named_also_where_no_new_lists_are(
    lists: Answer, tmp_path: Path
) -> None:
    pi = behind("openssl")(tmp_path / "pi")
    Apt(pi, BROKEN, lists, after=BROKEN)
    with pytest.raises(CommandFailed) as caught:
        OsPackages().apply(pi)
    assert cause(caught.value.sentence, caught.value.output) == "dpkg fails at openssl"


def test_an_apt_that_fails_is_told(tmp_path: Path) -> None:
    pi = behind("openssl")(tmp_path / "pi")
    pi.changes("apt-get", script=lambda pi, argv, stdin: (100, "E: no lists"))
    with pytest.raises(CommandFailed, match="no lists"):
        OsPackages().check(pi.read_only())
