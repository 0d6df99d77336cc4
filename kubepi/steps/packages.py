"""Debian packages: installed from a kit or a repository, held, and purged again.

May touch: what apt touches; the list of packages that were not there before kubepi.
Tests: tests/steps/test_packages.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.decide.kit import version_key
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit, verified
from kubepi.machine.step import Finding
from kubepi.steps.apt import (
    added,
    apt_get,
    install,
    installed,
    pinned_version,
    run_alone,
    was_cut,
)

KUBERNETES = ("kubeadm", "kubelet", "kubectl", "kubernetes-cni")
# What a package fills and its purge leaves there; removed only with a package that kubepi brought.
LEFTOVERS = {
    "containerd": ("/var/lib/containerd", "/etc/containerd", "/run/containerd"),
    "kubelet": ("/var/lib/kubelet",),
    "kubeadm": ("/etc/kubernetes", "/var/lib/etcd"),
    "kubernetes-cni": ("/opt/cni", "/etc/cni"),
}


@dataclass(frozen=True)
class AptPackages:
    """Packages of the OS, taken from the kit where it holds them."""

    packages: tuple[str, ...]
    kit: str = ""

    @property
    def name(self) -> str:
        return f"packages {' '.join(self.packages)}"

    def check(self, host: Host) -> Finding | None:
        there = installed(host, self.packages)
        missing = [package for package in self.packages if package not in there]
        return Finding(f"missing: {' '.join(missing)}") if missing else None

    def apply(self, host: Host) -> None:
        there = installed(host, self.packages)
        kit = open_kit(host, self.kit) if self.kit else None
        what = []
        for package in self.packages:
            if package not in there:
                file = kit.deb(package) if kit is not None else None
                what.append(package if file is None else verified(host, self.kit, file))
        install(host, what)


@dataclass(frozen=True)
class KubernetesPackages:
    """kubeadm and its company at the pinned version, held so that no apt upgrade moves them.

    An upgrade names another `version` (v1.36.3).
    """

    kit: str = ""
    packages: tuple[str, ...] = KUBERNETES
    version: str = ""

    @property
    def name(self) -> str:
        return f"packages {' '.join((*self.packages, *self.version.split()))}"

    def _wanted(self, host: Host) -> str:
        return (self.version or pinned_version(host)).lstrip("v")

    def _is_right(self, package: str, wanted: str, there: dict[str, str]) -> bool:
        if package not in there:
            return False
        if package == "kubectl" and self.version:  # a cut left it behind; any newer one does
            return version_key(there[package])[:2] >= version_key(wanted)[:2]
        exact = package in ("kubeadm", "kubelet")
        return not exact or there[package].startswith(f"{wanted}-")

    def check(self, host: Host) -> Finding | None:
        wanted = self._wanted(host)
        there = installed(host, self.packages)
        for package in self.packages:
            if package not in there:
                return Finding(f"{package} is missing")
        for package in self.packages:
            if not self._is_right(package, wanted, there):
                return Finding(f"{package} is {there[package]}, wanted {wanted}")
        held = host.probe(["apt-mark", "showhold"]).stdout.split()
        loose = [package for package in self.packages if package not in held]
        return Finding(f"not held: {' '.join(loose)}") if loose else None

    def apply(self, host: Host) -> None:
        wanted = self._wanted(host)
        there = installed(host, self.packages)
        if not all(self._is_right(package, wanted, there) for package in self.packages):
            # they are held by us
            install(host, self._sources(host, wanted), "--allow-change-held-packages")
        run_alone(host, "apt-mark", "hold", *self.packages)

    def _sources(self, host: Host, wanted: str) -> list[str]:
        if not self.kit:
            exact = ("kubeadm", "kubelet", "kubectl")
            return [f"{p}={wanted}-*" if p in exact else p for p in self.packages]
        kit = open_kit(host, self.kit)
        sources = []
        for package in self.packages:
            file = kit.deb(package, wanted)
            if file is None:
                raise StepFailed(
                    f"the kit {self.kit} has no package {package}",
                    "use a complete kit, or none to use the internet",
                )
            sources.append(verified(host, self.kit, file))
        return sources


@dataclass(frozen=True)
class PackagesPurged:
    """The packages that kubepi brought in, gone again; what was there before stays."""

    @property
    def name(self) -> str:
        return "packages as before"

    def check(self, host: Host) -> Finding | None:
        packages = added(host)
        if not packages:
            return None
        there = installed(host, packages)
        return Finding(f"{len(there)} of kubepi's are installed" if there else "list is left")

    def apply(self, host: Host) -> None:
        packages = added(host)
        there = installed(host, packages)
        if was_cut(host):
            host.run(["dpkg", "--force-confold", "--configure", "-a"])
        if there:
            apt_get(host, "--allow-change-held-packages", "purge", *sorted(there))
        for folder in (folder for name in packages for folder in LEFTOVERS.get(name, ())):
            host.empty(folder)
            host.remove_empty(folder)
        host.sync()
        host.remove(state.ADDED_PACKAGES)
