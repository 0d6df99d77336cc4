"""What kubepi asks of an add-on: each rule looks at a folder of manifests/ and names what is wrong.

A finding has a rule and a place, so that an exception can be written for exactly that.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from kubepi.addons import read_addon, render
from kubepi.decide.addons import SHARED_CLASS, values_of
from kubepi.resources import read_text
from tests.scene import settings

Object = Mapping[str, Any]

# Groups that every cluster serves (of custom resources nothing here knows whether they exist).
API_VERSIONS = {
    "v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1", "scheduling.k8s.io/v1",
    "apiregistration.k8s.io/v1",
}  # fmt: skip
CLUSTER_KINDS = {
    "Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass", "StorageClass",
    "PriorityClass", "APIService", "PersistentVolume",
}  # fmt: skip
NAMESPACED_KINDS = {
    "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret", "Service", "Deployment",
    "DaemonSet", "StatefulSet", "Job", "CronJob", "PersistentVolumeClaim", "Ingress",
    "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy",
}  # fmt: skip
WORKLOADS = {"Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"}
FIELDS: dict[str, type] = {
    "description": str, "version": str, "images": list, "architectures": list, "needs": list,
    "settings": dict, "secrets": dict, "ready": list, "notes": str,
}  # fmt: skip
# host[:port]/path:tag; a host has a dot, so docker.io must be written out.
IMAGE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[a-z0-9._-]+)+:(?P<tag>[\w.-]+)")
READY = re.compile(
    r"(deployment|daemonset|statefulset) [a-z0-9-]+/[a-z0-9-]+|apiservice [a-z0-9.]+"
)

# What flannel is told when its step looks at the kernel.
BACKEND = {"backend": "vxlan"}


class Finding(NamedTuple):
    rule: str
    place: str
    text: str


def about_of(name: str) -> Any:
    """As its reader sees it: what is not there is empty."""
    empty = {field: kind() for field, kind in FIELDS.items()}
    given = yaml.safe_load(read_text(f"manifests/{name}/addon.yaml"))
    for switch in ("always", "needs_share"):
        assert isinstance(given.pop(switch, False), bool)
    return {**empty, "architectures": ["amd64", "arm64"], **given}


def rendered(name: str, **values: str) -> list[Any]:
    """With the defaults of its settings, and for each secret a word that can be found again."""
    addon = read_addon(name)
    marks = {secret: mark_of(secret) for secret in addon.secrets}
    return render(addon, {**values_of(addon, settings()), **BACKEND, **values}, marks)


def mark_of(secret: str) -> str:
    return f"value-of-{secret}"


def pod_spec(item: Object) -> Any:
    """The pod's spec of a workload; None for other kinds."""
    if item["kind"] not in WORKLOADS:
        return None
    spec = item["spec"]
    if item["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec["template"]["spec"]


def containers(spec: Object) -> list[Any]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def about_rules(about: Object, names: list[str]) -> Iterator[Finding]:
    """addon.yaml by itself; `names` are the folders there are."""

    def wrong(text: str) -> Finding:
        return Finding("about", "addon.yaml", text)

    for field, kind in FIELDS.items():
        if not isinstance(about.get(field), kind):
            yield wrong(f"{field} is missing or not a {kind.__name__}")
            return
    if set(about) - set(FIELDS):
        yield wrong(f"unknown fields {sorted(set(about) - set(FIELDS))}")
    if not about["description"] or "\n" in about["description"]:
        yield wrong("description is not one line")
    machines = set(about["architectures"])
    if "arm64" not in machines or machines - {"amd64", "arm64"}:
        yield wrong("architectures are amd64 and arm64, of which arm64 is a must")
    for name, setting in about["settings"].items():
        fine = re.fullmatch(r"[a-z][a-z0-9_]*", name) and set(setting) == {"default", "about"}
        if not fine or not setting["about"] or not isinstance(setting["default"], (str, int)):
            yield wrong(f"setting {name}: a name_like_this, with default and about")
        elif "\n" in setting["about"]:
            yield wrong(f"setting {name}: about is not one line")
    for name, purpose in about["secrets"].items():
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not isinstance(purpose, str):
            yield wrong(f"secret {name}: a name-like-this and what it is for")
    for entry in about["ready"]:
        if not READY.fullmatch(entry):
            yield wrong(f"ready: {entry!r} is not KIND NAMESPACE/NAME")
    for need in about["needs"]:
        if need not in names:
            yield Finding("needs", "addon.yaml", f"needs {need}, which is not there")


def image_rules(about: Object, objects: list[Any]) -> Iterator[Finding]:
    used = {
        box["image"] for item in objects if (spec := pod_spec(item)) for box in containers(spec)
    }
    # images that a ConfigMap's text names (a provisioner's helper pod) are used too
    texts = [text for item in objects for text in item.get("data", {}).values()]
    for image in sorted(used | set(about["images"])):
        match = IMAGE.fullmatch(image)
        if match is None or not re.search(r"\d\.\d", match["tag"]):
            yield Finding("image", image, "is not REGISTRY/NAME:TAG with a tag of one version")
        if image not in about["images"]:
            yield Finding("image", image, "is not among the images of addon.yaml")
        if image not in used and not any(image in text for text in texts):
            yield Finding("image", image, "is in addon.yaml, but nothing uses it")


def object_rules(about: Object, objects: list[Any]) -> Iterator[Finding]:
    """Kinds, groups, namespaces, claims, rights, Ingresses, and what addon.yaml waits for."""
    there = {
        f"{item['kind'].lower()} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
        for item in objects
    }
    for entry in about["ready"]:
        if entry.replace("apiservice ", "apiservice /") not in there:
            yield Finding("ready", "addon.yaml", f"{entry} is not among the objects")
    for item in objects:
        kind, place = item["kind"], f"{item['kind']}/{item['metadata']['name']}"
        if item["apiVersion"] not in API_VERSIONS or kind not in CLUSTER_KINDS | NAMESPACED_KINDS:
            yield Finding("kind", place, f"{item['apiVersion']} {kind} is not built in")
        elif (kind in NAMESPACED_KINDS) != bool(item["metadata"].get("namespace")):
            yield Finding("namespace", place, "has none, or one too many")
        for rule in item.get("rules") or []:
            if kind.endswith("Role") and "*" in [each for part in rule.values() for each in part]:
                yield Finding("rights", place, "a rule with *")
        for claim in claims(item):
            yield from claim_rules(place, claim)
        if kind == "Ingress":
            if item["spec"].get("ingressClassName") != "traefik":
                yield Finding("ingress", place, "class is not traefik")
            if not all(rule.get("host") for rule in item["spec"]["rules"]):
                yield Finding("ingress", place, "a rule without host takes every name")


def claims(item: Object) -> list[Any]:
    if item["kind"] == "PersistentVolumeClaim":
        return [item["spec"]]
    if item["kind"] == "StatefulSet":
        return [claim["spec"] for claim in item["spec"].get("volumeClaimTemplates", [])]
    return []


def claim_rules(place: str, claim: Object) -> Iterator[Finding]:
    """${storage_class} is the shared one, unless told otherwise."""
    if claim.get("accessModes") not in (["ReadWriteOnce"], ["ReadWriteMany"]):
        yield Finding("claim", place, "access mode is neither ReadWriteOnce nor ReadWriteMany")
    shared = claim.get("accessModes") == ["ReadWriteMany"]
    if shared and claim.get("storageClassName") != SHARED_CLASS:
        yield Finding("claim", place, "only the cluster's class can be written by several nodes")
    if not claim.get("storageClassName"):
        yield Finding("claim", place, "names no storage class")
    if not claim.get("resources", {}).get("requests", {}).get("storage"):
        yield Finding("claim", place, "asks for no size")


def secret_rules(objects: list[Any], marks: list[str]) -> Iterator[Finding]:
    """`marks` are the stand-ins of the secrets: only a Secret's data may hold them."""
    shown = set()
    for item in objects:
        rest = dict(item)
        if item["kind"] == "Secret":
            texts = [*rest.pop("stringData", {}).values()]
            texts += [b64decode(text).decode() for text in rest.pop("data", {}).values()]
            shown |= {mark for mark in marks if mark in "".join(texts)}
        for mark in marks:
            if mark in str(rest):
                place = f"{item['kind']}/{item['metadata']['name']}"
                yield Finding("secret", place, f"shows {mark} outside of a Secret's data")
    for mark in sorted(set(marks) - shown):
        yield Finding("secret", mark, "no Secret holds it")
