"""containerd's configuration and the images it holds before Kubernetes asks for them.

May touch: /etc/containerd/config.toml, containerd's image store.
Tests: tests/steps/test_containerd.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubepi.addons import addon_images
from kubepi.decide.containerd_config import config_toml
from kubepi.decide.kit import Kit
from kubepi.errors import KubepiError, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit, verified
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version
from kubepi.steps.files import File

CTR = ("ctr", "--namespace", "k8s.io")
ATTEMPT = "images"
CONFIG = "/etc/containerd/config.toml"
MIRRORS = "/etc/containerd/certs.d"
OF_WORKERS = ("/kube-proxy:", "/pause:", "/coredns:")


@dataclass(frozen=True)
class ContainerdConfigured:
    """Debian's own file points at other CNI folders and leaves systemd cgroups off."""

    can_lower_oom_score: bool

    @property
    def name(self) -> str:
        return f"file {CONFIG}"

    def _file(self, host: Host) -> File:
        text = config_toml(pinned_version(host), self.can_lower_oom_score)
        return File(CONFIG, text, restarts=("containerd.service",))

    def check(self, host: Host) -> Finding | None:
        return self._file(host).check(host)

    def apply(self, host: Host) -> None:
        self._file(host).apply(host)


def mirror_file(registry: str, mirror: str) -> File:
    """containerd reads it at each pull, without a restart (containerd docs/hosts.md)."""
    server = "registry-1.docker.io" if registry == "docker.io" else registry
    return File(
        f"{MIRRORS}/{registry}/hosts.toml",
        f'server = "https://{server}"\n\n'
        f'[host."{mirror}"]\n  capabilities = ["pull", "resolve"]\n',
    )


def present_images(host: Host) -> set[str]:
    result = host.probe([*CTR, "images", "list", "--quiet"])
    if not result.ok:
        raise NotYet("containerd")
    return set(result.stdout.split())


@contextmanager
def one_attempt(host: Host) -> Iterator[None]:
    """Marked, so that what a power cut left is not believed; a failure is no power cut."""
    state.begin_attempt(host, ATTEMPT)
    try:
        yield
    except KubepiError:
        state.end_attempt(host, ATTEMPT)
        raise
    state.end_attempt(host, ATTEMPT)


@dataclass(frozen=True)
class ImagesImported:
    """All images of the kit that a node of the pinned version can use."""

    kit: str

    @property
    def name(self) -> str:
        return "images from the kit"

    def _wanted(self, host: Host, kit: Kit) -> set[str]:
        files = kit.images_for(pinned_version(host))
        return {reference for file in files for reference in file.references}

    def check(self, host: Host) -> Finding | None:
        version = pinned_version(host)
        there = present_images(host)
        if state.attempted(host, ATTEMPT):
            return Finding("an import was interrupted")
        missing = self._wanted(host, open_kit(host, self.kit)) - there
        return Finding(f"{len(missing)} missing for {version}") if missing else None

    def apply(self, host: Host) -> None:
        kit = open_kit(host, self.kit)
        files = kit.images_for(pinned_version(host))
        interrupted = state.attempted(host, ATTEMPT)
        there = present_images(host)
        if interrupted:
            # the names may be on the disk and the layers behind them not
            broken = sorted(there & self._wanted(host, kit))
            if broken:
                host.run([*CTR, "images", "remove", "--sync", *broken])
            there = set()
        with one_attempt(host):
            for number, file in enumerate(files, 1):
                if not set(file.references) <= there:
                    host.on_wait(f"importing image file {number} of {len(files)}: {file.path}")
                    host.run([*CTR, "images", "import", verified(host, self.kit, file)])


@dataclass(frozen=True)
class ImagesPulled:
    """What this node needs from the registries, as a phase of its own before anything waits."""

    joining: bool = False

    @property
    def name(self) -> str:
        return "images from their registries"

    def _wanted(self, host: Host) -> list[str]:
        version = pinned_version(host)
        result = host.probe(
            ["kubeadm", "config", "images", "list", "--kubernetes-version", version]
        )
        if not result.ok:
            raise NotYet("kubeadm")
        images = result.stdout.split()
        if self.joining:  # a worker runs no control plane
            images = [image for image in images if any(name in image for name in OF_WORKERS)]
        return [*images, *addon_images("flannel")]

    def check(self, host: Host) -> Finding | None:
        missing = set(self._wanted(host)) - present_images(host)
        if state.attempted(host, ATTEMPT):
            return Finding("a pull was interrupted")
        return Finding(f"{len(missing)} missing") if missing else None

    def apply(self, host: Host) -> None:
        wanted = self._wanted(host)
        there = set() if state.attempted(host, ATTEMPT) else present_images(host)
        with one_attempt(host):
            for number, image in enumerate(wanted, 1):
                if image not in there:
                    host.on_wait(f"pulling image {number} of {len(wanted)}: {image}")
                    host.run([*CTR, "images", "pull", "--hosts-dir", MIRRORS, image])
