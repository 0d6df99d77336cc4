"""Debian packages: installed from a kit or a repository, held, and purged again.

May touch: what apt touches; the list of packages that were not there before kubepi.
Tests: tests/steps/test_apt.py and tests/laws.
"""

import re
from dataclasses import dataclass

from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit, verified
from kubepi.machine.step import Finding

# Other programs hold the lock for minutes at a first boot (unattended-upgrades #90).
APT = (
    "apt-get", "-y", "-q", "--no-install-recommends",
    "-o", "DPkg::Lock::Timeout=900",
    "-o", "Dpkg::Options::=--force-confold",
    "-o", "Acquire::Retries=3",
)  # fmt: skip
# Longer than apt waits for the lock: it is never killed in the middle of its work.
APT_SECONDS = 3600.0
KUBERNETES = ("kubeadm", "kubelet", "kubectl", "kubernetes-cni")
# What a package fills and its purge leaves there; removed only with a package that kubepi brought.
LEFTOVERS = {
    "containerd": ("/var/lib/containerd", "/etc/containerd", "/run/containerd"),
    "kubelet": ("/var/lib/kubelet",),
    "kubeadm": ("/etc/kubernetes", "/var/lib/etcd"),
    "kubernetes-cni": ("/opt/cni", "/etc/cni"),
}


def installed(host: Host, packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of `packages` that are completely installed."""
    result = host.probe(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\\n", *packages]
    )
    if result.code == 127:
        raise NotYet("dpkg")
    rows = (line.split(" ") for line in result.stdout.splitlines())
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def added(host: Host) -> tuple[str, ...]:
    """Packages that kubepi brought in, dependencies included."""
    return tuple((host.read(state.ADDED_PACKAGES) or "").split())


def pinned_version(host: Host) -> str:
    """The Kubernetes version of this node, such as v1.36.3, once VersionPinned wrote it."""
    version = (host.read(state.PINNED_VERSION) or "").strip()
    if not version:
        raise NotYet("the choice of a Kubernetes version")
    return version


def install(host: Host, what: list[str]) -> None:
    """apt-get install of names or files, after a mend of what a power cut broke."""
    if was_cut(host):
        _mend(host)
    try:
        _remember_new(host, what)
        host.run([*APT, "install", *what], timeout=APT_SECONDS)
    except CommandFailed:
        # the lists may be old or not there at all: once more with new ones
        update(host)
        _remember_new(host, what)
        host.run([*APT, "install", *what], timeout=APT_SECONDS)


def update(host: Host) -> None:
    """New lists; DPkg::Lock::Timeout does not cover their lock, so it is waited for here."""

    def fetched() -> str | None:
        try:
            host.run([*APT, "update"], timeout=APT_SECONDS)
        except CommandFailed as error:
            if "Could not get lock" not in error.output:
                raise
            return "another program holds the lock of apt's lists"
        return None

    host.wait_until("apt's lists", fetched, 900, 5.0)


def was_cut(host: Host) -> bool:
    """dpkg was interrupted: apt refuses everything until it is mended."""
    if host.listdir("/var/lib/dpkg/updates"):
        return True
    return bool(host.probe(["dpkg", "--audit"]).stdout.strip())


def _mend(host: Host) -> None:
    """What a cut in the middle of dpkg left: packages without their files, or not set up.

    Those of a kit are in no repository, so apt finds no archive to install them again from and
    refuses all else; ours are taken out, to come anew. Others apt fetches again.
    """
    result = host.probe(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Eflag}\\n"])
    rows = (line.split() for line in result.stdout.splitlines())
    broken = {row[0] for row in rows if row[1:] == ["reinstreq"]}
    ours = sorted(broken & set(added(host)))
    if ours:
        host.run(["dpkg", "--force-remove-reinstreq", "--force-depends", "--remove", *ours])
    host.run(["dpkg", "--force-confold", "--configure", "-a"])
    host.run([*APT, "--fix-broken", "install"])


def _remember_new(host: Host, what: list[str]) -> None:
    """Before they come: a reset purges only what was not there before."""
    plan = host.probe([*APT, "--simulate", "install", *what], timeout=120)
    if not plan.ok:
        raise host.failure(plan)
    # an upgrade shows its old version in brackets before the parenthesis
    new = set(re.findall(r"^Inst (\S+) \(", plan.stdout, re.MULTILINE))
    known = set(added(host))
    if not new <= known:
        host.mkdir(state.STATE, 0o700)
        host.write(state.ADDED_PACKAGES, "".join(f"{n}\n" for n in sorted(known | new)), 0o600)


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
    """kubeadm and its company at the pinned version, held so that no apt upgrade moves them."""

    kit: str = ""
    packages: tuple[str, ...] = KUBERNETES

    @property
    def name(self) -> str:
        return f"packages {' '.join(self.packages)}"

    def check(self, host: Host) -> Finding | None:
        wanted = pinned_version(host).lstrip("v")
        there = installed(host, self.packages)
        for package in self.packages:
            if package not in there:
                return Finding(f"{package} is missing")
        for package in ("kubeadm", "kubelet"):
            if not there[package].startswith(f"{wanted}-"):
                return Finding(f"{package} is {there[package]}, wanted {wanted}")
        held = host.probe(["apt-mark", "showhold"]).stdout.split()
        loose = [package for package in self.packages if package not in held]
        return Finding(f"not held: {' '.join(loose)}") if loose else None

    def apply(self, host: Host) -> None:
        wanted = pinned_version(host).lstrip("v")
        there = installed(host, self.packages)
        if any(not there.get(p, "").startswith(f"{wanted}-") for p in ("kubeadm", "kubelet")) or (
            len(there) < len(self.packages)
        ):
            install(host, self._sources(host, wanted))
        host.run(["apt-mark", "hold", *self.packages])

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
            purge = [*APT, "--allow-change-held-packages", "purge", *sorted(there)]
            host.run(purge, timeout=APT_SECONDS)
        for folder in (folder for name in packages for folder in LEFTOVERS.get(name, ())):
            host.empty(folder)
            host.remove_empty(folder)
        host.sync()
        host.remove(state.ADDED_PACKAGES)
