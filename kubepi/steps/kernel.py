"""Kernel modules and settings that Kubernetes networking needs, now and at every boot.

May touch: /etc/modules-load.d, /etc/sysctl.d, the running kernel.
Tests: tests/steps/test_kernel.py.
"""

from dataclasses import dataclass

from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import File

# A module built into the kernel shows here instead of in /sys/module.
SEEN_BY = {
    "overlay": ("/proc/filesystems", "overlay"),
    "br_netfilter": ("/proc/sys/net/bridge", None),
}


def is_loaded(host: Host, module: str) -> bool:
    if host.exists(f"/sys/module/{module}"):
        return True
    path, word = SEEN_BY.get(module, (None, None))
    if path is None:
        return False
    return host.exists(path) if word is None else word in (host.read(path) or "").split()


def can_load(host: Host, module: str) -> bool:
    """A kernel without module support has all it has built in: then the answer is yes."""
    if is_loaded(host, module) or not host.exists("/proc/modules"):
        return True
    return host.probe(["modprobe", "--dry-run", module]).ok


@dataclass(frozen=True)
class KernelModules:
    """Modules loaded now and named in a file of /etc/modules-load.d for the next boot."""

    modules: tuple[str, ...]
    path: str = "/etc/modules-load.d/kubepi.conf"

    @property
    def name(self) -> str:
        return f"kernel modules {' '.join(self.modules)}"

    def _file(self) -> File:
        return File(self.path, "".join(f"{module}\n" for module in self.modules))

    def check(self, host: Host) -> Finding | None:
        missing = [module for module in self.modules if not is_loaded(host, module)]
        if missing:
            return Finding(f"not loaded: {' '.join(missing)}")
        return self._file().check(host)

    def apply(self, host: Host) -> None:
        self._file().apply(host)
        for module in self.modules:
            if not is_loaded(host, module):
                host.run(["modprobe", module])


@dataclass(frozen=True)
class Sysctl:
    """Kernel settings, in a file for every boot and in the running kernel."""

    values: tuple[tuple[str, str], ...]
    path: str = "/etc/sysctl.d/90-kubepi.conf"

    @property
    def name(self) -> str:
        return f"kernel settings {self.path}"

    def _file(self) -> File:
        return File(self.path, "".join(f"{key} = {value}\n" for key, value in self.values))

    def check(self, host: Host) -> Finding | None:
        for key, value in self.values:
            found = host.read("/proc/sys/" + key.replace(".", "/"))
            if found is None or found.strip() != value:
                shown = "missing" if found is None else found.strip()
                return Finding(f"{key} is {shown}, wanted {value}")
        return self._file().check(host)

    def apply(self, host: Host) -> None:
        self._file().apply(host)
        host.run(["sysctl", "--load", str(host.path(self.path))])
