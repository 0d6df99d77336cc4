"""The pods of this node: which there are, and how they are asked to go.

A kubelet's own credentials may list, evict and delete the pods bound to its node, and cordon it
(kubernetes/plugin/pkg/admission/noderestriction), so that no master has to do it.
May touch: pods of this node, its Node object. Tests: tests/steps/test_cordon.py.
"""

import json
from collections.abc import Mapping
from typing import Any

from kubepi.cluster import kubectl
from kubepi.cluster.users import has_ended
from kubepi.errors import CommandFailed
from kubepi.machine.host import Host

Pod = Mapping[str, Any]


def own_pods(host: Host, node: str) -> list[dict[str, Any]]:
    """Those that a drain moves: not of a DaemonSet, and not the kubelet's own static ones.

    Raises:
        NotYet: the API does not answer.
    """
    pods = kubectl.ask_items(host, "pods", "-A", "--field-selector", f"spec.nodeName={node}")
    return [pod for pod in pods if not has_ended(pod) and not _stays(pod)]


def _stays(pod: Pod) -> bool:
    about = pod["metadata"]
    is_static = "kubernetes.io/config.mirror" in about.get("annotations", {})
    return is_static or "DaemonSet" in _owners(pod)


def _owners(pod: Pod) -> set[str]:
    return {owner["kind"] for owner in pod["metadata"].get("ownerReferences", [])}


def is_bare(pod: Pod) -> bool:
    """Nobody would start it again."""
    return not _owners(pod)


def goes_already(pod: Pod) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def full_name(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def evict(host: Host, pod: Pod) -> str:
    """Ask it to go; "" or why the API refuses, such as a disruption budget."""
    namespace, _, name = full_name(pod).partition("/")
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    try:
        kubectl.tell(host, "create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    except CommandFailed as error:
        if "NotFound" in error.output:
            return ""
        last = (error.output.splitlines() or ["no answer"])[-1]
        return last.partition("): ")[2] or last
    return ""


def delete(host: Host, pod: Pod) -> None:
    namespace, _, name = full_name(pod).partition("/")
    kubectl.tell(host, "delete", "pod", name, "-n", namespace, "--wait=false", "--ignore-not-found")


def patch_node(host: Host, node: str, patch: Mapping[str, Any]) -> None:
    kubectl.tell(host, "patch", "node", node, "--type=merge", "-p", json.dumps(patch))
