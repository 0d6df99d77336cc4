"""The objects of an add-on in the API: asked for by label, applied, deleted, their claims.

Tests: tests/steps/test_addons.py, tests/steps/test_addon_removal.py.
"""

import json
import re
from collections.abc import Collection, Sequence

from kubepi.addons import LABEL, Object, identity
from kubepi.cluster import kubectl
from kubepi.errors import CommandFailed, NotYet
from kubepi.machine.host import Host

CLAIM, NAMESPACE, CLASS = "persistentvolumeclaim", "namespace", "storageclass.v1.storage.k8s.io"
KEPT = "kubepi.io/kept-of"  # the label of what an add-on left when its data was to be kept
UNKNOWN_KIND = re.compile(r'doesn\'t have a resource type "([^"]+)"|no matches for kind "([^"]+)"')
# an API that nobody serves any more would block the rest; what runs goes before what it runs on
ORDER = (
    "APIService", "HorizontalPodAutoscaler", "Ingress", "CronJob", "Job", "Deployment",
    "DaemonSet", "StatefulSet", "Pod", "Service", "PersistentVolumeClaim",
)  # fmt: skip
LAST = ("StorageClass", "CustomResourceDefinition", "Namespace")


def labelled(host: Host, addon: str, kinds: Collection[str], label: str = LABEL) -> list[Object]:
    """All objects of these kinds that carry the label of an add-on; also what is ending.

    Raises:
        NotYet: the API does not answer.
    """
    asked = sorted({*kinds, CLAIM, NAMESPACE})
    while asked:
        words = ("get", ",".join(asked), "-A", "-l", f"{label}={addon}", "-o", "json")
        result = kubectl.ask(host, *words, timeout=20)
        if result.ok:
            found: list[Object] = json.loads(result.stdout)["items"]
            return found
        unknown = UNKNOWN_KIND.search(result.stderr)
        left = [kind for kind in asked if unknown is None or not _is(kind, unknown)]
        if unknown is None or left == asked:
            break
        asked = left  # a kind that goes, or is yet to come, with its definition
    raise NotYet("the Kubernetes API")


def _is(kind: str, unknown: re.Match[str]) -> bool:
    name = (unknown[1] or unknown[2]).lower()
    return kind == name or kind.partition(".")[0] in (name, name.removesuffix("s"))


def list_of(items: Sequence[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def apply(host: Host, items: Sequence[Object], patience: float) -> None:
    """Server-side, as ours; an API that is busy is asked again.

    Raises:
        CommandFailed: it refuses.
    """

    def sent() -> str | None:
        try:
            # the server judges: kubectl would fetch megabytes of its schema for that, first
            kubectl.tell(
                host, "apply", "--server-side", "--validate=false", "--field-manager=kubepi",
                "--force-conflicts", "-f", "-", stdin=list_of(items),
            )  # fmt: skip
        except CommandFailed as error:
            if not kubectl.is_passing(error.output):
                raise
            return error.output.splitlines()[-1][:160]
        return None

    host.wait_until("the API to take it", sent, patience, 2.0)


def delete(host: Host, items: Sequence[Object]) -> None:
    """Ask for the end of these, in an order in which none waits for another; returns at once."""
    bare = [
        {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": _named(item)}
        for item in sorted(items, key=_rank)
        if "deletionTimestamp" not in item["metadata"]
    ]
    if bare:
        kubectl.tell(
            host, "delete", "--ignore-not-found", "--wait=false", "--cascade=foreground",
            "-f", "-", stdin=list_of(bare),
        )  # fmt: skip


def _named(item: Object) -> dict[str, str]:
    return {key: item["metadata"][key] for key in ("namespace", "name") if key in item["metadata"]}


def _rank(item: Object) -> int:
    kind = item["kind"]
    if kind in LAST:
        return len(ORDER) + 1 + LAST.index(kind)
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def relabel(host: Host, items: Sequence[Object], *changes: str) -> None:
    """`changes` as kubectl label takes them: `name=value`, or `name-` to take it off."""
    for item in items:
        kind, namespace, name = identity(item)
        where = ["-n", namespace] if namespace else []
        kubectl.tell(host, "label", "--overwrite", kind.lower(), name, *where, *changes)


def listed(items: Sequence[Object]) -> str:
    """Some objects in a few words, with their verb: `Deployment hello/web and 3 more are`."""
    first = items[0]
    kind, namespace, name = identity(first)
    more = f" and {len(items) - 1} more are" if len(items) > 1 else " is"
    return f"{kind} {f'{namespace}/' if namespace else ''}{name}{more}"


# --- claims and their volumes -----------------------------------------------------------------


def claims_of(host: Host, addon: str) -> list[Object]:
    return kubectl.ask_items(host, CLAIM, "-A", "-l", f"{LABEL}={addon}")


def claims_in_classes(host: Host, classes: Collection[str]) -> list[str]:
    """`namespace/name` of every claim that lives in one of these StorageClasses."""
    found = kubectl.ask_items(host, CLAIM, "-A") if classes else []
    return [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in found
        if item["spec"].get("storageClassName") in classes
    ]


def volumes_ending(host: Host, volumes: Collection[str]) -> list[str]:
    """Those of these volumes that are still there and go with their claims."""
    found = kubectl.ask_items(host, "persistentvolume") if volumes else []
    return [
        item["metadata"]["name"]
        for item in found
        if item["metadata"]["name"] in volumes
        and item["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    ]
