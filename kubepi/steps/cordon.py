"""A node out of service and back in it: cordoned, drained, and free for pods again.

May touch: this node's Node object, its pods. Tests: tests/steps/test_cordon.py,
tests/lab/test_life.py.
"""

from dataclasses import dataclass, replace
from typing import Any

from kubepi.cluster import kubectl
from kubepi.cluster.own_pods import (
    delete,
    evict,
    full_name,
    goes_already,
    is_bare,
    own_pods,
    patch_node,
)
from kubepi.decide.disabled import ALONE, ANNOTATION, WAS_CORDONED, WITH_ALL
from kubepi.errors import KubepiError, NotYet, StepFailed
from kubepi.machine import disabled
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name
from kubepi.steps.services import KUBELET, is_active

BACK = "sudo kubepi enable takes it back"


def is_stopped(host: Host) -> bool:
    """Without a kubelet the node is out of service, and its pods are nobody's to move."""
    return not is_active(host, KUBELET)


def _goes_alone(host: Host) -> bool:
    found = disabled.load(host)
    return found is not None and found.alone


def _annotations(node: dict[str, Any] | None) -> dict[str, str]:
    about = {} if node is None else node.get("metadata", {})
    found: dict[str, str] = about.get("annotations", {})
    return found


@dataclass(frozen=True)
class Cordoned:
    """No new pods come here, and the Node object says why.

    An API that does not answer within `patience` seconds is a failure, or nothing to wait for
    where the node goes with all others (`whole`) or is `forced`.
    """

    whole: bool
    forced: bool
    patience: float = 30.0

    @property
    def name(self) -> str:
        return "cordoned"

    def check(self, host: Host) -> Finding | None:
        if is_stopped(host) or _goes_alone(host):
            return None
        try:
            node = kubectl.get_node(host, node_name(host))
        except NotYet as missing:
            return Finding(f"no answer from {missing.what}")
        is_noted = node is None or ANNOTATION in _annotations(node)
        return None if is_noted else Finding("is in service")

    def apply(self, host: Host) -> None:
        def noted() -> str | None:
            try:
                node = kubectl.get_node(host, node_name(host))
                if node is not None and ANNOTATION not in _annotations(node):
                    patch_node(host, node_name(host), self._patch(node))
            except (NotYet, KubepiError) as error:
                return str(error) or "no answer"
            return None

        try:
            host.wait_until("the API", noted, self.patience, 2.0)
        except StepFailed as error:
            if not (self.whole or self.forced):
                raise StepFailed(
                    f"this node cannot be cordoned: {error.sentence}",
                    "--force disables it all the same; its pods then move when the cluster "
                    "misses them",
                ) from None
            host.log.line(f"decision: disabled without the API: {error.sentence}")
            found = disabled.load(host)
            assert found is not None
            disabled.save(host, replace(found, alone=True))

    def _patch(self, node: dict[str, Any]) -> dict[str, Any]:
        notes = {ANNOTATION: WITH_ALL if self.whole else ALONE}
        if node.get("spec", {}).get("unschedulable"):
            notes[WAS_CORDONED] = "yes"
        return {"metadata": {"annotations": notes}, "spec": {"unschedulable": True}}


@dataclass(frozen=True)
class Drained:
    """No pod here but those of DaemonSets and the control plane; each had its time to go."""

    force: bool
    patience: float = 180.0

    @property
    def name(self) -> str:
        return "drained"

    def check(self, host: Host) -> Finding | None:
        if is_stopped(host) or _goes_alone(host):
            return None
        left = own_pods(host, node_name(host))
        return Finding(f"{len(left)} pods, such as {full_name(left[0])}") if left else None

    def apply(self, host: Host) -> None:
        bare = [full_name(pod) for pod in own_pods(host, node_name(host)) if is_bare(pod)]
        if bare and not self.force:
            raise StepFailed(
                f"nobody would start these pods again: {', '.join(bare)}",
                f"delete them yourself, or --force does; {BACK}",
            )
        try:
            host.wait_until("the pods to go", lambda: self._ask(host), self.patience, 2.0)
        except StepFailed as error:
            raise StepFailed(
                f"not drained: {error.sentence}",
                f"the same command tries again, --force deletes what blocks; {BACK}",
            ) from None

    def _ask(self, host: Host) -> str | None:
        try:
            left = own_pods(host, node_name(host))
        except NotYet as missing:
            return f"no answer from {missing.what}"
        seen = [f"{full_name(pod)} is on its way" for pod in left if goes_already(pod)]
        for pod in left:
            if goes_already(pod):
                continue
            why = "" if is_bare(pod) else evict(host, pod)
            if self.force and (why or is_bare(pod)):
                delete(host, pod)
            # what blocks is told before what only takes its time
            seen.insert(0, f"{full_name(pod)}: {why}") if why else seen.append(full_name(pod))
        return seen[0] if seen else None


@dataclass(frozen=True)
class NodeInService:
    """Free for pods again, if it was kubepi that cordoned it."""

    @property
    def name(self) -> str:
        return "node in service"

    def check(self, host: Host) -> Finding | None:
        node = kubectl.get_node(host, node_name(host))
        return Finding("is cordoned") if ANNOTATION in _annotations(node) else None

    def apply(self, host: Host) -> None:
        notes = _annotations(kubectl.get_node(host, node_name(host)))
        patch: dict[str, Any] = {
            "metadata": {"annotations": {ANNOTATION: None, WAS_CORDONED: None}}
        }
        if WAS_CORDONED not in notes:
            patch["spec"] = {"unschedulable": None}
        patch_node(host, node_name(host), patch)
