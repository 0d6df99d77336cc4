"""Room on the card: images that no container uses, packages that apt downloaded.

May touch: containerd's images, /var/cache/apt. Tests: tests/steps/test_caches.py.
"""

from dataclasses import dataclass

from kubepi.cluster.containers import CTR
from kubepi.errors import NotYet
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

ARCHIVES = "/var/cache/apt/archives"


@dataclass(frozen=True)
class CachesEmptied:
    """No image without a container, no downloaded package."""

    @property
    def name(self) -> str:
        return "caches empty"

    def _unused(self, host: Host) -> list[str]:
        """References of images of which no container was made; containerd pins the pause image."""
        # REF TYPE DIGEST SIZE UNIT PLATFORMS LABELS: an image has several references
        images = self._rows(host, "images")
        references = {row[1] for row in self._rows(host, "containers") if len(row) > 1}
        used = {row[2] for row in images if row[0] in references}
        pinned = {row[2] for row in images if "io.cri-containerd.pinned=pinned" in row[-1]}
        return [row[0] for row in images if row[2] not in used | pinned]

    def _rows(self, host: Host, what: str) -> list[list[str]]:
        result = host.probe([*CTR, what, "list"])
        if not result.ok:
            raise NotYet("containerd")
        return [line.split() for line in result.stdout.splitlines()[1:] if line.strip()]

    def _packages(self, host: Host) -> list[str]:
        return [name for name in host.listdir(ARCHIVES) if name.endswith(".deb")]

    def check(self, host: Host) -> Finding | None:
        images, packages = self._unused(host), self._packages(host)
        if not images and not packages:
            return None
        return Finding(f"{len(images)} unused images, {len(packages)} packages")

    def apply(self, host: Host) -> None:
        if self._packages(host):
            host.run(["apt-get", "clean"])
        unused = self._unused(host)
        if unused:
            host.run([*CTR, "images", "remove", "--sync", *unused])
