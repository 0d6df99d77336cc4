"""Node objects of a FakePi's API: as kubeadm makes them, tainted and patched."""

from typing import Any

MASTER = "node-role.kubernetes.io/control-plane"
Object = dict[str, Any]


def own_node(registration: Object) -> dict[str, Object]:
    """kubeadm puts its taint on where none are named."""
    name, kubeadms = registration["name"], [{"key": MASTER, "effect": "NoSchedule"}]
    node = {
        "kind": "Node", "metadata": {"name": name, "labels": {MASTER: ""}},
        "spec": {"taints": registration.get("taints", kubeadms)},
        "status": {"conditions": [], "addresses": [], "nodeInfo": {"kubeletVersion": "v1.36.3"}},
    }  # fmt: skip
    return {f"Node//{name}": node}


def taint(node: Object, change: str) -> None:
    """As kubectl has it: KEY:EFFECT, or KEY:EFFECT- to take it off."""
    key, _, effect = change.partition(":")
    taints = [t for t in node["spec"]["taints"] if t["key"] != key]
    if not effect.endswith("-"):
        taints.append({"key": key, "effect": effect})
    node["spec"]["taints"] = taints


def merge(item: Object, patch: Object) -> None:
    """RFC 7386; the API server leaves no empty map behind."""
    for key, value in patch.items():
        if isinstance(value, dict):
            merge(item.setdefault(key, {}), value)
        elif value is None:
            item.pop(key, None)
        else:
            item[key] = value
    for key in [key for key, value in item.items() if value == {}]:
        del item[key]
