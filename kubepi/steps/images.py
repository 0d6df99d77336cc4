"""The images that a node holds before Kubernetes asks for them: from a kit, or pulled.

May touch: containerd's image store. Tests: tests/steps/test_images.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubepi.addons import addon_images
from kubepi.cluster.containers import CTR
from kubepi.decide.kit import Kit
from kubepi.decide.proxy import Proxy, environment
from kubepi.errors import KubepiError, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit, verified
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version
from kubepi.steps.pulling import Pulling, forget, present_images

ATTEMPT = "images"
OF_WORKERS = ("/kube-proxy:", "/pause:", "/coredns:")


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
    """All images of the kit that a node of the pinned version can use, or of `version`."""

    kit: str
    version: str = ""

    @property
    def name(self) -> str:
        return " ".join(["images from the kit", *self.version.split()])

    def _version(self, host: Host) -> str:
        return self.version or pinned_version(host)

    def _wanted(self, host: Host, kit: Kit) -> set[str]:
        files = kit.images_for(self._version(host))
        return {reference for file in files for reference in file.references}

    def check(self, host: Host) -> Finding | None:
        version = self._version(host)
        there = present_images(host)
        if state.attempted(host, ATTEMPT):
            return Finding("an import was interrupted")
        missing = self._wanted(host, open_kit(host, self.kit)) - there
        return Finding(f"{len(missing)} missing for {version}") if missing else None

    def apply(self, host: Host) -> None:
        kit = open_kit(host, self.kit)
        files = kit.images_for(self._version(host))
        there = present_images(host)
        if state.attempted(host, ATTEMPT):
            forget(host, self._wanted(host, kit))
            there = set()
        with one_attempt(host):
            for number, file in enumerate(files, 1):
                if not set(file.references) <= there:
                    host.on_wait(f"importing image file {number} of {len(files)}: {file.path}")
                    host.run([*CTR, "images", "import", verified(host, self.kit, file)])


@dataclass(frozen=True)
class ImagesPulled:
    """What this node needs from the registries, as a phase of its own before anything waits.

    `mirrors` are pairs of a registry and the address that is asked instead; `addons` are those
    that this node is to have besides what every node needs.
    """

    is_worker: bool = False
    mirrors: tuple[tuple[str, str], ...] = ()
    proxy: Proxy | None = None
    addons: tuple[str, ...] = ()
    version: str = ""  # instead of the pinned one

    @property
    def name(self) -> str:
        return " ".join(["images from their registries", *self.version.split()])

    def _wanted(self, host: Host) -> list[str]:
        version = self.version or pinned_version(host)
        result = host.probe(
            ["kubeadm", "config", "images", "list", "--kubernetes-version", version]
        )
        if not result.ok:
            raise NotYet("kubeadm")
        images = result.stdout.split()
        if self.is_worker:  # it runs no control plane
            images = [image for image in images if any(name in image for name in OF_WORKERS)]
        return [*images, *addon_images("flannel", *self.addons)]

    def check(self, host: Host) -> Finding | None:
        missing = set(self._wanted(host)) - present_images(host)
        if state.attempted(host, ATTEMPT):
            return Finding("a pull was interrupted")
        return Finding(f"{len(missing)} missing") if missing else None

    def apply(self, host: Host) -> None:
        wanted = self._wanted(host)
        if state.attempted(host, ATTEMPT):
            # only the one that was being unpacked: all before it was synced
            forget(host, set((host.read(state.attempt_file(ATTEMPT)) or "").split()))
        missing = [image for image in wanted if image not in present_images(host)]
        pulling = Pulling(host, wanted, dict(self.mirrors), environment(self.proxy))
        for image in missing:
            pulling.learn(image)
        pulling.need_room()
        with one_attempt(host):
            for image in missing:
                # all before it is on the disk, so a cut from here on breaks this one at most
                host.sync()
                state.begin_attempt(host, ATTEMPT, image)
                pulling.pull(image)
