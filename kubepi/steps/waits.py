"""Waiting as steps: the API answers, a node is Ready; each says what was last seen.

May touch: nothing. Tests: tests/steps/test_waits.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from kubepi.cluster import kubectl
from kubepi.errors import NotYet, RebootNeeded, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name
from kubepi.steps.services import KUBELET, is_active


@dataclass(frozen=True)
class ApiReady:
    """The API server answers `ok` on /readyz."""

    patience: float = 600.0
    starts_kubelet: bool = True
    WHAT: ClassVar[str] = "the API"

    @property
    def name(self) -> str:
        return "Kubernetes API"

    def _seen(self, host: Host) -> str | None:
        return kubectl.is_ready(host)

    def check(self, host: Host) -> Finding | None:
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        if self.starts_kubelet and host.exists("/etc/kubernetes/kubelet.conf"):
            host.run(["systemctl", "start", "kubelet"])
        host.wait_until(self.WHAT, lambda: self._seen(host), self.patience, 1.0)


@dataclass(frozen=True)
class OwnApiReady(ApiReady):
    """This master's own API server answers, and so does its member of etcd.

    The API's name leads to any master that answers: before the next one may go down, this one has
    to be there.
    """

    WHAT: ClassVar[str] = "the API of this master"

    @property
    def name(self) -> str:
        return "API server of this master"

    def _seen(self, host: Host) -> str | None:
        return kubectl.is_own_ready(host)


@dataclass(frozen=True)
class NodeReady:
    """This node is Ready in the cluster, and it is its kubelet that says so.

    After a stop the Node object says Ready still, until a controller manager misses the kubelet.
    """

    patience: float = 600.0

    @property
    def name(self) -> str:
        return "this node Ready"

    def _seen(self, host: Host, since: float = 0.0) -> str | None:
        try:
            node = kubectl.get_node(host, node_name(host))
        except NotYet as missing:
            return f"no answer from {missing.what}"
        why = kubectl.not_ready_because(node)
        if why is None and node is not None and kubectl.last_heartbeat(node) < int(since):
            return "the kubelet has not reported since it was started"
        return why

    def check(self, host: Host) -> Finding | None:
        kubectl.kubeconfig(host)  # in no cluster yet: nobody to ask
        if not is_active(host, KUBELET):
            return Finding("the kubelet does not run")
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        since = 0.0
        if host.exists("/etc/kubernetes/kubelet.conf") and not is_active(host, KUBELET):
            since = host.now()
            host.run(["systemctl", "start", KUBELET])
        host.wait_until("this node", lambda: self._seen(host, since), self.patience, 1.0)


@dataclass(frozen=True)
class MasterAnnounced:
    """Written before the agent tells others of a master here; from then on nothing is wiped."""

    @property
    def name(self) -> str:
        return "master announced"

    def check(self, host: Host) -> Finding | None:
        return None if host.exists(state.WAS_MASTER) else Finding("is not yet")

    def apply(self, host: Host) -> None:
        host.write(state.WAS_MASTER, "", 0o600)


@dataclass(frozen=True)
class Rebooted:
    """What earlier steps changed and only a boot brings into force; the plan goes on after it."""

    @property
    def name(self) -> str:
        return "reboot"

    def check(self, host: Host) -> Finding | None:
        reasons = (host.read(state.REBOOT) or "").splitlines()
        return Finding(f"needed for {', '.join(reasons)}") if reasons else None

    def apply(self, host: Host) -> None:
        reasons = host.read(state.REBOOT) or ""
        if host.read(state.REBOOTED_FOR) == reasons:
            raise StepFailed(
                f"a reboot did not bring into force: {', '.join(reasons.splitlines())}",
                "look at the boot partition; kubepi doctor shows what it found",
            )
        host.write(state.REBOOTED_FOR, reasons, 0o600)
        raise RebootNeeded(
            f"a reboot is needed for {', '.join(reasons.splitlines())}",
            "reboot when it suits you (sudo reboot); kubepi then goes on by itself",
        )
