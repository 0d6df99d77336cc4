"""kubepi/steps/packages.py: Kubernetes at its version, held; and everything purged again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.steps.apt import installed, pinned_version
from kubepi.steps.packages import KUBERNETES, AptPackages, KubernetesPackages, PackagesPurged
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


# --- Kubernetes -----------------------------------------------------------------------------


def test_kubernetes_obeys_the_laws_and_is_held(tmp_path: Path) -> None:
    pi = obeys(KUBE, pinned, tmp_path)
    versions = installed(pi, KUBERNETES)
    assert versions["kubelet"] == versions["kubeadm"] == "1.36.3-1.1"
    assert pi.probe(["apt-mark", "showhold"]).stdout.split() == sorted(KUBERNETES)


def test_they_are_held_once_nobody_else_works_with_packages(tmp_path: Path) -> None:
    """apt-daily may begin between their installation and that; apt-mark itself does not wait."""
    pi = pinned(tmp_path / "pi")
    inner = pi.programs["apt-mark", "hold"].script
    tries: list[Sequence[str]] = []

    def hold(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        tries.append(argv)
        if len(tries) == 1:
            return 100, "dpkg: error: dpkg frontend lock was locked by /usr/bin/apt-get process"
        answer = inner(pi, argv, stdin)
        return answer if isinstance(answer, tuple) else pi._drive(answer, argv)

    pi.changes("apt-mark", "hold", script=hold)
    KUBE.apply(pi)
    assert len(tries) == 2
    assert KUBE.check(pi.read_only()) is None


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
