"""kubepi/steps/apt.py: packages from a kit or a repository, mended, held, and purged again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.apt import (
    KUBERNETES,
    AptPackages,
    KubernetesPackages,
    PackagesPurged,
    added,
    installed,
    pinned_version,
)
from tests.fakes import Answer, FakePi
from tests.programs import STATUS
from tests.scene import KIT, VERSION, fresh_pi
from tests.steps.lawful import obeys

OS_PACKAGES = AptPackages(("containerd", "iptables", "socat"), KIT)
KUBE = KubernetesPackages(KIT)


def pinned(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    pi.put(state.PINNED_VERSION, f"{VERSION}\n")
    return pi


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
        assert {"-y", "DPkg::Lock::Timeout=900", "Dpkg::Options::=--force-confold"} <= set(argv)


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


# --- Kubernetes -----------------------------------------------------------------------------


def test_kubernetes_obeys_the_laws_and_is_held(tmp_path: Path) -> None:
    pi = obeys(KUBE, pinned, tmp_path)
    versions = installed(pi, KUBERNETES)
    assert versions["kubelet"] == versions["kubeadm"] == "1.36.3-1.1"
    assert pi.probe(["apt-mark", "showhold"]).stdout.split() == sorted(KUBERNETES)


def test_no_packages_before_a_version_is_chosen(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    with pytest.raises(NotYet, match="the choice of a Kubernetes version"):
        KUBE.check(pi.read_only())
    pi.put(state.PINNED_VERSION, "\n")
    with pytest.raises(NotYet):
        pinned_version(pi)


def test_without_a_kit_the_exact_version_is_asked_for(tmp_path: Path) -> None:
    """kubernetes-cni has versions of its own."""
    pi = pinned(tmp_path / "pi")
    step = KubernetesPackages()
    step.apply(pi)
    assert last_apt(pi, "install") == [
        "kubeadm=1.36.3-*", "kubelet=1.36.3-*", "kubectl=1.36.3-*", "kubernetes-cni",
    ]  # fmt: skip
    assert step.check(pi.read_only()) is None


@pytest.mark.parametrize(
    ("status", "finding"),
    [
        ("", "kubeadm is missing"),
        ("kubeadm 1.36.2-1.1\nkubelet 1.36.3-1.1\nkubectl 1.36.3-1.1\nkubernetes-cni 1.7-1\n",
         "kubeadm is 1.36.2-1.1, wanted 1.36.3"),
        ("kubeadm 1.36.3-1.1\nkubelet 1.36.30-1.1\nkubectl 1.36.3-1.1\nkubernetes-cni 1.7-1\n",
         "kubelet is 1.36.30-1.1, wanted 1.36.3"),
        ("kubeadm 1.36.3-2.1\nkubelet 1.36.3-1.1\nkubectl 1.36.3-1.1\nkubernetes-cni 1.7-1\n",
         "not held: kubeadm kubelet kubectl kubernetes-cni"),
        ("kubeadm 1.36.3-1.1\nkubelet 1.36.3-1.1\nkubectl 1.36.3-1.1\n",
         "kubernetes-cni is missing"),
    ],
)  # fmt: skip
def test_what_is_found_of_kubernetes(tmp_path: Path, status: str, finding: str) -> None:
    pi = pinned(tmp_path / "pi")
    pi.put(STATUS, status)
    assert str(KUBE.check(pi.read_only())) == finding
    KUBE.apply(pi)
    assert KUBE.check(pi.read_only()) is None


def test_a_kit_that_lacks_a_package_is_named(tmp_path: Path) -> None:
    pi = pinned(tmp_path / "pi")
    text = (pi.read(f"{KIT}/bundle.yaml") or "").replace("debs/kubectl_", "debs/other_")
    pi.put(f"{KIT}/bundle.yaml", text)
    with pytest.raises(StepFailed, match=f"the kit {KIT} has no package kubectl"):
        KUBE.apply(pi)
    assert pi.ran == []


def test_a_damaged_package_of_the_kit_is_not_installed(tmp_path: Path) -> None:
    pi = pinned(tmp_path / "pi")
    pi.put(f"{KIT}/debs/kubelet_1.36.3-1.1_amd64.deb", "another")
    with pytest.raises(StepFailed, match="is damaged"):
        KUBE.apply(pi)
    assert pi.ran == []


# --- gone again -----------------------------------------------------------------------------


def with_packages(folder: Path) -> FakePi:
    pi = pinned(folder)
    OS_PACKAGES.apply(pi)
    KUBE.apply(pi)
    pi.put("/var/lib/containerd/images", "layers")
    pi.fake_disk.make_all_durable()
    return pi


def test_purged_obeys_the_laws_and_leaves_what_was_there_before(tmp_path: Path) -> None:
    pi = obeys(PackagesPurged(), with_packages, tmp_path)
    assert pi.read(STATUS) == "iptables 1.0-1\n"
    assert pi.exists("/usr/sbin/iptables")
    for name in ("/var/lib/containerd", "/opt/cni", "/etc/kubernetes"):
        assert not pi.exists(name)
    assert not pi.exists(state.ADDED_PACKAGES)


def test_a_package_of_the_user_keeps_its_data(tmp_path: Path) -> None:
    """Docker's machine: containerd was there before kubepi."""
    pi = fresh_pi(tmp_path / "pi")
    pi.put(STATUS, "containerd 1.0-1\nrunc 1.0-1\n")
    pi.put("/var/lib/containerd/images", "layers")
    OS_PACKAGES.apply(pi)
    PackagesPurged().apply(pi)
    assert pi.read("/var/lib/containerd/images") == "layers"
    assert set(installed(pi, ("containerd", "socat", "iptables"))) == {"containerd"}


def test_where_kubepi_brought_nothing_nothing_is_purged(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    assert PackagesPurged().check(pi.read_only()) is None
    PackagesPurged().apply(pi)
    assert [argv for argv in pi.ran if "purge" in argv] == []


def test_held_packages_are_purged_too(tmp_path: Path) -> None:
    pi = with_packages(tmp_path / "pi")
    PackagesPurged().apply(pi)
    purge = next(argv for argv in pi.ran if "purge" in argv)
    assert "--allow-change-held-packages" in purge
