"""What uses the share: workloads found by their claims, stopped and started again.

May touch: replicas, a node selector of DaemonSets, and the suspension of CronJobs.
Tests: tests/unit/test_users.py, tests/lab/test_vm_share.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubepi.cluster import kubectl
from kubepi.decide.addons import SHARED_CLASS
from kubepi.decide.move import User
from kubepi.machine.host import Host

KINDS = "deployments,statefulsets,replicasets,daemonsets,cronjobs,jobs,pods,persistentvolumeclaims"
# a node selector that no node meets
NOWHERE = {"kubepi.io/share-moves": "yes"}
# of pods, and of the ReplicaSets between: who is not one of these cannot be stopped here
OWNERS = {"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"}
Object = Mapping[str, Any]


def everything(host: Host) -> list[dict[str, Any]]:
    """All objects that matter here.

    Raises:
        NotYet: the API does not answer.
    """
    return kubectl.ask_items(host, KINDS, "--all-namespaces")


def users(objects: list[dict[str, Any]]) -> list[User]:
    """What would start pods with a claim of the shared class, as it runs now."""
    shared = shared_claims(objects)
    return sorted(
        (
            User(item["kind"], *_name(item), _replicas(item))
            for item in objects
            if item["kind"] in ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "CronJob")
            and not item["metadata"].get("ownerReferences")
            and not _is_stopped(item)
            and uses(item, shared)
        ),
        key=str,
    )


def loners(objects: list[dict[str, Any]]) -> list[str]:
    """Pods and Jobs at work that nobody would start again."""
    shared = shared_claims(objects)
    found = []
    for item in objects:
        owners = {owner["kind"] for owner in item["metadata"].get("ownerReferences", [])}
        is_bare = item["kind"] == "Pod" and not owners & OWNERS and not has_ended(item)
        is_job = item["kind"] == "Job" and not item["status"].get("completionTime")
        if (is_bare or (is_job and not _has_failed(item))) and uses(item, shared):
            found.append(f"{item['kind']} {'/'.join(_name(item))}")
    return sorted(found)


def pods_at_work(objects: list[dict[str, Any]]) -> list[str]:
    """Pods that still have the share."""
    shared = shared_claims(objects)
    pods = (item for item in objects if item["kind"] == "Pod" and not has_ended(item))
    return sorted("/".join(_name(pod)) for pod in pods if uses(pod, shared))


def shared_claims(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Namespace and name of each claim of the shared class."""
    return {
        _name(item)
        for item in objects
        if item["kind"] == "PersistentVolumeClaim"
        and item["spec"].get("storageClassName") == SHARED_CLASS
    }


def stop(host: Host, user: User) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "DaemonSet": {"template": {"spec": {"nodeSelector": NOWHERE}}},
        "CronJob": {"suspend": True},
    }
    _patch(host, user, bodies.get(user.kind, {"replicas": 0}))


def start(host: Host, user: User) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "DaemonSet": {"template": {"spec": {"nodeSelector": dict.fromkeys(NOWHERE)}}},
        "CronJob": {"suspend": False},
    }
    _patch(host, user, bodies.get(user.kind, {"replicas": user.replicas}))


def _patch(host: Host, user: User, spec: dict[str, Any]) -> None:
    patch = json.dumps({"spec": spec})
    kubectl.tell(
        host, "patch", user.kind.lower(), user.name, "-n", user.namespace, "--type=merge",
        "-p", patch,
    )  # fmt: skip


def exists(objects: list[dict[str, Any]], user: User) -> bool:
    wanted = (user.kind, user.namespace, user.name)
    return any((item["kind"], *_name(item)) == wanted for item in objects)


def _name(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _replicas(item: Object) -> int:
    count: int = item["spec"].get("replicas", -1)
    return count


def _is_stopped(item: Object) -> bool:
    spec = item["spec"]
    if item["kind"] == "CronJob":
        return bool(spec.get("suspend"))
    if item["kind"] == "DaemonSet":
        selector = spec["template"]["spec"].get("nodeSelector") or {}
        return bool(NOWHERE.items() <= selector.items())
    return bool(spec.get("replicas") == 0)


def uses(item: Object, shared: set[tuple[str, str]]) -> bool:
    namespace, name = _name(item)
    claims = {claim for claim in _claims(item) if (namespace, claim) in shared}
    # a StatefulSet's own claims are TEMPLATE-NAME-NUMBER
    for template in item["spec"].get("volumeClaimTemplates", []):
        own = re.compile(re.escape(f"{template['metadata']['name']}-{name}-") + r"\d+")
        claims |= {claim for space, claim in shared if space == namespace and own.fullmatch(claim)}
    # an ephemeral one's claim is POD-VOLUME, and a pod is named after what made it
    for volume in (v["name"] for v in _volumes(item) if "ephemeral" in v):
        own = re.compile(rf"{re.escape(name)}(-[a-z0-9]+)*-{re.escape(volume)}")
        claims |= {claim for space, claim in shared if space == namespace and own.fullmatch(claim)}
    return bool(claims)


def _claims(item: Object) -> Iterator[str]:
    for volume in _volumes(item):
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]


def _volumes(item: Object) -> list[dict[str, Any]]:
    spec = item["spec"]
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod = spec if item["kind"] == "Pod" else spec.get("template", {}).get("spec", {})
    volumes: list[dict[str, Any]] = pod.get("volumes", [])
    return volumes


def has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _has_failed(job: Object) -> bool:
    conditions = job["status"].get("conditions", [])
    return any(c["type"] == "Failed" and c["status"] == "True" for c in conditions)
