"""A node emptied for its new kubelet, and that kubelet at work.

A new kubelet may make the static pods anew: on a master the API comes and goes meanwhile. So no
answer is something to wait for, and what was seen once is remembered.
May touch: this node's Node object and pods, the kubelet's process, the pinned version.
Tests: tests/steps/test_upgrading.py, tests/lab/test_upgrade.py.
"""

from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state, upgrading
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.cordon import Cordoned, Drained
from kubepi.steps.kubeadm import node_name
from kubepi.steps.services import KUBELET

API_SECONDS = 600.0


def kubelet_version(host: Host) -> str:
    """Of the kubelet that runs, as its Node says.

    Raises:
        NotYet: the API does not answer.
    """
    node = kubectl.get_node(host, node_name(host)) or {}
    return str(node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""))


def _was_seen(host: Host, version: str) -> bool:
    found = upgrading.load(host)
    return found is not None and found.replaced and found.version == version


def not_empty(host: Host, forced: bool, may_be_alone: bool) -> Finding | None:
    """A cluster of one has nowhere to send its pods: they stay, and run on without a kubelet."""
    if may_be_alone and len(kubectl.ask_items(host, "nodes")) == 1:
        return None
    return Cordoned(False, False).check(host) or Drained(forced).check(host)


def empty(host: Host, forced: bool) -> None:
    try:
        Cordoned(False, False).apply(host)
        Drained(forced).apply(host)
    except StepFailed as error:
        hint = "the same command goes on; with --force it deletes what blocks"
        raise StepFailed(error.sentence, hint) from None


@dataclass(frozen=True)
class Emptied:
    """Cordoned and drained as long as the kubelet is not of this version."""

    version: str
    forced: bool
    may_be_alone: bool

    @property
    def name(self) -> str:
        return "node emptied"

    def check(self, host: Host) -> Finding | None:
        if _was_seen(host, self.version):
            return None
        try:
            return self._left(host)
        except NotYet as missing:
            return Finding(f"no answer from {missing.what}")

    def _left(self, host: Host) -> Finding | None:
        if kubelet_version(host) == self.version:
            return None
        return not_empty(host, self.forced, self.may_be_alone)

    def apply(self, host: Host) -> None:
        host.wait_until("the API", lambda: kubectl.is_ready(host), API_SECONDS, 2.0)
        if self._left(host) is not None:
            empty(host, self.forced)


@dataclass(frozen=True)
class KubeletReplaced:
    """The kubelet of this version runs, and its node is Ready."""

    version: str
    patience: float = 600.0

    @property
    def name(self) -> str:
        return f"kubelet {self.version}"

    def check(self, host: Host) -> Finding | None:
        if _was_seen(host, self.version):
            return None
        return Finding(self._seen(host) or "was not seen Ready yet")

    def apply(self, host: Host) -> None:
        if self._seen(host) is not None:
            host.run(["systemctl", "daemon-reload"])
            host.run(["systemctl", "restart", KUBELET])
            host.wait_until("the new kubelet", lambda: self._seen(host), self.patience, 1.0)
        upgrading.note(host, replaced=True)

    def _seen(self, host: Host) -> str | None:
        try:
            if (found := kubelet_version(host)) != self.version:
                return f"is {found or 'unknown'}"
            return kubectl.not_ready_because(kubectl.get_node(host, node_name(host)))
        except NotYet as missing:
            return f"no answer from {missing.what}"


@dataclass(frozen=True)
class VersionFollowed:
    """The pinned version is that of the upgrade, and the advert says it."""

    version: str

    @property
    def name(self) -> str:
        return f"Kubernetes version {self.version}"

    def check(self, host: Host) -> Finding | None:
        found = (host.read(state.PINNED_VERSION) or "").strip()
        return None if found == self.version else Finding(f"is {found}")

    def apply(self, host: Host) -> None:
        host.write(state.PINNED_VERSION, f"{self.version}\n", 0o644)
