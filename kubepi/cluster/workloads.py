"""Whether something in the cluster is available, and what is in the way: a pod's own reason.

Tests: tests/unit/test_workloads.py, tests/steps/test_addons.py.
"""

import json
from collections.abc import Mapping
from typing import Any

from kubepi.cluster import kubectl
from kubepi.decide.addons import Ready
from kubepi.errors import NotYet
from kubepi.machine.host import Host

LONGEST = 200
MISSING = "is not there"
PASSING_REASONS = ("ContainerCreating", "PodInitializing")

Found = Mapping[str, Any]


def not_ready_because(host: Host, wanted: Ready) -> str | None:
    """None if it is available, else a sentence's worth of why not.

    Raises:
        NotYet: this node is in no cluster.
    """
    where = ["-n", wanted.namespace] if wanted.namespace else []
    result = kubectl.ask(host, *where, "get", wanted.kind, wanted.name, "-o", "json")
    if "NotFound" in result.stderr:
        return MISSING
    if not result.ok:
        return (result.stderr.strip().splitlines() or ["no answer"])[-1][:LONGEST]
    found = json.loads(result.stdout)
    if wanted.kind == "apiservice":
        return _unavailable(found)
    missing = missing_pods(found)
    if missing is None:
        return None
    why = _why(host, wanted.namespace, found)
    return f"{missing}; {why}" if why else missing


def _unavailable(service: Found) -> str | None:
    conditions = service.get("status", {}).get("conditions", [])
    available: Found = next((c for c in conditions if c["type"] == "Available"), {})
    if available.get("status") == "True":
        return None
    return str(available.get("message") or "nobody serves it yet")[:LONGEST]


def missing_pods(found: Found) -> str | None:
    """Of a Deployment, StatefulSet or DaemonSet; None if all that are wanted are available."""
    status = found.get("status", {})
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return "it has not been looked at yet"
    if found["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        there = min(status.get("numberAvailable", 0), status.get("updatedNumberScheduled", 0))
        return None if there >= wanted else f"{there} of {wanted} pods are available"
    wanted = found["spec"].get("replicas", 1)
    there = min(status.get("availableReplicas", 0), status.get("updatedReplicas", 0))
    return None if there >= wanted else f"{there} of {wanted} replicas are available"


def _why(host: Host, namespace: str, owner: Found) -> str:
    """The first pod's reason that is more than that it takes its time."""
    labels = owner["spec"].get("selector", {}).get("matchLabels", {})
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    result = kubectl.ask(host, "-n", namespace, "get", "pods", "-l", selector, "-o", "json")
    pods = json.loads(result.stdout)["items"] if result.ok else []
    told = (f"{pod['metadata']['name']}: {why}" for pod in pods if (why := stuck_because(pod)))
    return next(told, "")


def stuck_because(pod: Found) -> str:
    """Why a pod does not come up, in the words of Kubernetes; "" if it only needs time."""
    status = pod.get("status", {})
    containers = [
        *status.get("initContainerStatuses", []), *status.get("containerStatuses", []),
    ]  # fmt: skip
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason and reason not in PASSING_REASONS:
            ended = container.get("lastState", {}).get("terminated") or {}
            code = f" (it ended with code {ended['exitCode']})" if "exitCode" in ended else ""
            return f"{reason}{code}: {_short(waiting.get('message', ''))}".removesuffix(": ")
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = _short(condition.get("message", ""))
            return f"{condition.get('reason', 'Unschedulable')}: {message}"
    return ""


def _short(message: str) -> str:
    return " ".join(message.split())[:LONGEST]


def first_not_ready(host: Host, wanted: tuple[Ready, ...]) -> str | None:
    """The first object of a list that is not available, with its reason."""
    for ready in wanted:
        try:
            why = not_ready_because(host, ready)
        except NotYet as missing:
            why = f"no answer from {missing.what}"
        if why is not None:
            return f"{ready.kind} {ready.name}{' ' if why == MISSING else ': '}{why}"
    return None
