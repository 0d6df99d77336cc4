"""Whether a master runs ordinary pods beside its own; pure.

Tests: tests/unit/test_placing.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any

SETTING = "kubernetes.workloads_on_control_plane"
MASTER = "node-role.kubernetes.io/control-plane"  # kubeadm's label and taint
NAME = "kubernetes.io/hostname"
Object = Mapping[str, Any]


def is_tainted(node: Object) -> bool:
    return any(taint["key"] == MASTER for taint in node.get("spec", {}).get("taints", []))


def runs_pods(choice: str, own: str, objects: Iterable[Object]) -> bool:
    """As the setting has it; `objects` are all Nodes and PersistentVolumes.

    A pod whose local volume lies on a master can start nowhere else.
    """
    if choice != "auto":
        return choice == "yes"
    found = list(objects)
    has_worker = any(o["kind"] == "Node" and MASTER not in o["metadata"]["labels"] for o in found)
    return not has_worker or any(_lies_on(own, o) for o in found)


def _lies_on(node: str, item: Object) -> bool:
    if item["kind"] != "PersistentVolume":
        return False
    required = item["spec"].get("nodeAffinity", {}).get("required", {})
    return any(
        rule["key"] == NAME and node in rule.get("values", [])
        for term in required.get("nodeSelectorTerms", [])
        for rule in term.get("matchExpressions", [])
    )
