"""containerd's configuration, and where it gets the images of a registry instead.

May touch: /etc/containerd/config.toml, /etc/containerd/certs.d.
Tests: tests/steps/test_containerd.py. The images themselves: kubepi/steps/images.py.
"""

from dataclasses import dataclass

from kubepi.decide.containerd_config import config_toml
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version
from kubepi.steps.files import File
from kubepi.steps.pulling import MIRRORS

CONFIG = "/etc/containerd/config.toml"


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
    """Asked instead of the registry, which is not asked any more: its answer is the last word.

    containerd reads it at each pull, without a restart (containerd docs/hosts.md).
    """
    return File(
        f"{MIRRORS}/{registry}/hosts.toml",
        f'server = "{mirror}"\n\n[host."{mirror}"]\n  capabilities = ["pull", "resolve"]\n',
    )
