"""The HTTP proxy that apt and containerd go through, or none.

May touch: one file of apt's, one drop-in of containerd's unit. Tests: tests/steps/test_proxy.py.
"""

from dataclasses import dataclass

from kubepi.decide.proxy import Proxy, apt_config, unit_config
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step
from kubepi.steps.files import File, FileRestored

APT_FILE = "/etc/apt/apt.conf.d/90kubepi-proxy"
UNIT = "containerd.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}.d/90-kubepi-proxy.conf"


@dataclass(frozen=True)
class ProxySet:
    """Both know the proxy, also after a boot; without one, nothing of ours is left."""

    proxy: Proxy | None

    @property
    def name(self) -> str:
        return "no proxy" if self.proxy is None else f"proxy {self.proxy.url}"

    def _files(self) -> list[Step]:
        if self.proxy is None:
            return [FileRestored(APT_FILE), FileRestored(UNIT_FILE)]
        return [File(APT_FILE, apt_config(self.proxy)), File(UNIT_FILE, unit_config(self.proxy))]

    def check(self, host: Host) -> Finding | None:
        found = ((file.name, file.check(host)) for file in self._files())
        return next((Finding(f"{name} {why}") for name, why in found if why is not None), None)

    def apply(self, host: Host) -> None:
        for file in self._files():
            if file.check(host) is not None:
                state.want_restart(host, UNIT)
                file.apply(host)
