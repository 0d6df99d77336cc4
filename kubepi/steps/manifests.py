"""What kubeadm itself put into the API, and the admin's kubeconfig.

May touch: /root/.kube and one user's ~/.kube.
Tests: tests/steps/test_manifests.py, tests/lab.
"""

import json
from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.errors import NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

RESOLV_CONFS = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")


@dataclass(frozen=True)
class DeploymentReady:
    """A deployment with all its replicas available."""

    namespace: str
    deployment: str
    patience: float = 600.0

    @property
    def name(self) -> str:
        return f"{self.deployment} ready"

    def _seen(self, host: Host) -> str | None:
        result = kubectl.ask(
            host, "-n", self.namespace, "get", "deployment", self.deployment, "-o", "json"
        )
        if not result.ok:
            return (result.stderr.strip().splitlines() or ["no answer"])[-1][:160]
        found = json.loads(result.stdout)
        wanted = found["spec"].get("replicas", 1)
        there = found.get("status", {}).get("availableReplicas", 0)
        if there >= wanted:
            return None
        # a LAN without DHCP, a Pi without a name server: CoreDNS' forward plugin ends at once
        nameless = self.deployment == "coredns" and not _has_name_server(host)
        why = "; it needs a nameserver, and /etc/resolv.conf names none" if nameless else ""
        return f"{there} of {wanted} replicas are available{why}"

    def check(self, host: Host) -> Finding | None:
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        host.wait_until(self.deployment, lambda: self._seen(host), self.patience, 1.0)


def _has_name_server(host: Host) -> bool:
    """In what kubelet gives to pods; kubeadm names systemd-resolved's list where that runs."""
    texts = (host.read(name) or "" for name in RESOLV_CONFS)
    return any(line.startswith("nameserver ") for text in texts for line in text.splitlines())


@dataclass(frozen=True)
class AdminKubeconfig:
    """The admin's credentials where kubectl looks for them: of root, and of who called sudo."""

    home: str
    uid: int = 0
    gid: int = 0

    @property
    def name(self) -> str:
        return f"file {self.path}"

    @property
    def path(self) -> str:
        return f"{self.home}/.kube/config"

    def check(self, host: Host) -> Finding | None:
        wanted = host.read(kubectl.ADMIN)
        if wanted is None:
            raise NotYet(kubectl.ADMIN)
        there = host.read(self.path)
        if there is None:
            return Finding("is missing")
        return None if there == wanted else Finding("is of another cluster")

    def apply(self, host: Host) -> None:
        state.keep_oldest(host, self.path)
        folder = f"{self.home}/.kube"
        copy = state.kept_copy(host, self.path)
        if copy is not None and folder in copy["made"]:  # the folder is ours, also after a cut
            host.mkdir(folder, 0o750)
            host.chown(folder, self.uid, self.gid)
        content = host.read(kubectl.ADMIN) or ""
        host.write(self.path, content, 0o600, (self.uid, self.gid))
