"""The controller manager rests while a whole cluster goes and comes back.

It would miss the nodes that are off, delete their pods, and start others where there is room:
held, each pod is found again where it was. May touch: its manifest.
Tests: tests/steps/test_holding.py, tests/lab/test_life.py.
"""

from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.decide.disabled import ANNOTATION, WITH_ALL
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import disabled, state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

MANIFEST = "/etc/kubernetes/manifests/kube-controller-manager.yaml"
HELD = f"{state.STATE}/kube-controller-manager.yaml"


@dataclass(frozen=True)
class ControllersHeld:
    """Its manifest is put aside; the kubelet stops it."""

    @property
    def name(self) -> str:
        return "controllers held"

    def check(self, host: Host) -> Finding | None:
        return Finding("are at work") if host.exists(MANIFEST) else None

    def apply(self, host: Host) -> None:
        manifest = host.read(MANIFEST)
        if manifest:
            host.write(HELD, manifest, 0o600)
        host.remove(MANIFEST)


@dataclass(frozen=True)
class ControllersBack:
    """At work again when all nodes are back, or have had their time."""

    patience: float = 180.0

    @property
    def name(self) -> str:
        return "controllers at work"

    def check(self, host: Host) -> Finding | None:
        return Finding("are held until the nodes are back") if host.exists(HELD) else None

    def apply(self, host: Host) -> None:
        host.write(disabled.BACK, "", 0o600)  # this node says so, or none of them would come
        try:
            host.wait_until("the other nodes", lambda: self._missing(host), self.patience, 2.0)
        except StepFailed as error:
            host.log.line(f"decision: the controllers go on: {error.sentence}")
        manifest = host.read(HELD)
        if manifest and not host.exists(MANIFEST):
            host.write(MANIFEST, manifest, 0o600)
        host.remove(HELD)

    def _missing(self, host: Host) -> str | None:
        try:
            nodes = kubectl.ask_items(host, "nodes")
        except NotYet as missing:
            return f"no answer from {missing.what}"
        left = [
            node["metadata"]["name"]
            for node in nodes
            if node["metadata"].get("annotations", {}).get(ANNOTATION) == WITH_ALL
        ]
        return f"{', '.join(left)} not back yet" if left else None
