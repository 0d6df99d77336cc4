"""containerd, kubeadm and kubectl of a FakePi, as effects recorded from real runs in the lab."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from kubepi.machine.certificates import KUBELET, SUPER_ADMIN
from tests.certs import BEGINS, KEY, YEAR, certificate, kubeconfig
from tests.containerd_programs import install_containerd
from tests.fakes import Answer, FakePi
from tests.join_programs import install_etcd, kubeadm_join, own_api_is_up, own_name
from tests.kubeadm_certs import all_pairs, kubeconfigs, phase, renew
from tests.node_programs import merge, own_node, taint
from tests.programs import Effects, write, write_durably

OBJECTS = "/var/lib/etcd/objects.json"
OWN_SERVER = "--server=https://127.0.0.1:6443"


def install_kubernetes(pi: FakePi) -> None:
    install_containerd(pi)
    pi.looks("kubeadm", "version", script=_kubeadm_version)
    pi.changes("kubeadm", "init", script=_kubeadm_init)
    pi.changes("kubeadm", "init", "phase", script=phase)
    pi.changes("kubeadm", "certs", "renew", script=renew)
    pi.changes("kubeadm", "join", script=kubeadm_join)
    pi.changes("kubeadm", "reset", script=_kubeadm_reset)
    pi.looks("kubectl", script=_kubectl)
    install_etcd(pi)


def _kubeadm_version(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    return (0, "v1.36.3") if pi.exists("/usr/bin/kubeadm") else (127, "not found")


INIT_FILES = {
    "/etc/kubernetes/pki/ca.crt": certificate(ends=BEGINS + 10 * YEAR),
    "/etc/kubernetes/pki/ca.key": "the key",
    **all_pairs(),
    "/etc/kubernetes/kubelet.conf": "kubelet's credentials",
    **kubeconfigs(),
    f"/etc/kubernetes/{SUPER_ADMIN}": kubeconfig(SUPER_ADMIN),
    "/etc/kubernetes/manifests/etcd.yaml": "metadata: {name: etcd}",
    "/var/lib/kubelet/config.yaml": "kubelet's configuration",
    KUBELET: certificate() + KEY,
    "/etc/kubernetes/manifests/kube-apiserver.yaml": "metadata: {name: kube-apiserver}",
}


def _kubeadm_init(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    config = list(yaml.safe_load_all(Path(argv[argv.index("--config") + 1]).read_text()))
    skipped = next((w for w in argv if w.startswith("--skip-phases=")), "")
    if "preflight" not in skipped:
        taken = [name for name in INIT_FILES if pi.exists(name)]
        if taken:
            return 1, f"[ERROR FileAvailable] {taken[0]} already exists"
    if "certs" not in skipped:
        together = all_pairs()  # or every law would cut each of them
        for name, text in INIT_FILES.items():
            write(pi, name, text, 0o600)
            if name not in together:
                yield
        pi.running.add("kubelet.service")
        yield
    _save_objects(pi, _objects(pi) | own_node(config[0]["nodeRegistration"]))
    yield
    _save_objects(pi, _objects(pi) | {"Deployment/kube-system/coredns": {}})
    pi.path("/sys/class/net/cni0").mkdir(parents=True, exist_ok=True)
    write(pi, "/etc/cni/net.d/10-flannel.conflist", "flannel")
    write(pi, "/proc/rules", "*nat\n:KUBE-SERVICES - [0:0]\n-A MINE -j ACCEPT\nCOMMIT\n")
    yield
    return 0, ""


def _kubeadm_reset(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    pi.running.discard("kubelet.service")
    skips = "--skip-phases=remove-etcd-member" in argv
    assert own_name(pi) not in pi.etcd_elsewhere, "wiped, and etcd counts it still"
    for folder in ("/etc/kubernetes", "/var/lib/kubelet", *([] if skips else ["/var/lib/etcd"])):
        for path in sorted(pi.path(folder).rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
            yield
    return 0, ""


def _is_worker(pi: FakePi) -> bool:
    is_member = bool(pi.read("/etc/kubernetes/kubelet.conf"))
    return is_member and not pi.read("/etc/kubernetes/admin.conf")


def _objects(pi: FakePi) -> dict[str, dict[str, Any]]:
    """Those of a worker's cluster are on another machine, which no cut of this one harms."""
    text = pi.master_holds if _is_worker(pi) else pi.read(OBJECTS)
    found: dict[str, dict[str, Any]] = json.loads(text or "{}")
    return found


def _save_objects(pi: FakePi, objects: dict[str, dict[str, Any]]) -> None:
    """etcd syncs what it answers."""
    if _is_worker(pi):
        pi.master_holds = json.dumps(objects)
        return
    pi.path(OBJECTS).parent.mkdir(parents=True, exist_ok=True)
    write_durably(pi, OBJECTS, json.dumps(objects))


def _made_the_cluster(pi: FakePi) -> bool:
    return pi.read("/etc/kubernetes/super-admin.conf") is not None


def _api_is_up(pi: FakePi) -> bool:
    if pi.read("/etc/kubernetes/admin.conf") is None:
        return bool(pi.read("/etc/kubernetes/kubelet.conf"))  # a worker asks the master's
    if not _made_the_cluster(pi):
        return bool(pi.read("/etc/kubernetes/admin.conf"))  # a further master: any of them answers
    return "kubelet.service" in pi.running and all(pi.read(name) for name in INIT_FILES)


def _kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    if not _api_is_up(pi):
        return 1, "connection refused"
    # kubectl --kubeconfig FILE --cache-dir FOLDER --request-timeout=… VERB …
    words = list(argv[6:])
    if OWN_SERVER in words and not (_made_the_cluster(pi) or own_api_is_up(pi)):
        return 1, "connection refused"
    if "/readyz" in words:
        return 0, "ok"
    if words[:1] == ["apply"]:
        return _apply(pi, json.loads(stdin)["items"])
    if words[:1] == ["patch"] and words[1] == "node":
        return _patch_node(pi, words)
    if words[:2] == ["create", "--raw"]:
        return _evict(pi, words[2])
    if words[:2] == ["delete", "pod"]:
        return _drop(pi, f"Pod/{words[4]}/{words[2]}")
    if words[:1] == ["delete"]:
        return _delete(pi, json.loads(stdin)["items"])
    if words[:2] == ["taint", "node"]:
        return _taint(pi, words[2], words[-1])
    if words[:1] == ["label"]:
        return _label(pi, words)
    if (words[:1] == ["get"] and "-A" in words) or "persistentvolume" in words:
        return _get_all(pi, words)
    if words[:2] == ["get", "nodes"]:
        nodes = [i for key, i in _objects(pi).items() if key.startswith("Node//")]
        return 0, json.dumps({"items": [node for node in nodes if "metadata" in node]})
    if words[:2] == ["get", "node"]:
        return _get_node(pi, words[2])
    if "get" in words and words[-2:] == ["-o", "json"]:
        return _get_one(pi, words)
    raise AssertionError(f"no script for {list(argv)}")


def _apply(pi: FakePi, items: list[dict[str, Any]]) -> Answer:
    """What others wrote into an object stays: labels that are not in what is applied now."""
    there = _objects(pi)
    for item in items:
        before = _labels(there.get(_key(item), {}))
        labels = {**before, **_labels(item)}
        there[_key(item)] = {**item, "metadata": {**item["metadata"], "labels": labels}}
    _save_objects(pi, there)
    return 0, ""


def _delete(pi: FakePi, items: list[dict[str, Any]]) -> Answer:
    """A namespace takes with it all that is in it."""
    gone = {_key(item) for item in items}
    inside = {f"/{item['metadata']['name']}/" for item in items if item["kind"] == "Namespace"}
    left = {
        key: item for key, item in _objects(pi).items()
        if key not in gone and not any(part in key for part in inside)
    }  # fmt: skip
    _save_objects(pi, left)
    return 0, ""


def _label(pi: FakePi, words: list[str]) -> Answer:
    """kubectl label --overwrite KIND NAME [-n NAMESPACE] CHANGE …"""
    kind, name, *rest = words[2:]
    namespace, changes = (rest[1], rest[2:]) if rest[0] == "-n" else ("", rest)
    there = _objects(pi)
    key = next(key for key in there if key.lower() == f"{kind}/{namespace}/{name}".lower())
    labels = there[key]["metadata"]["labels"]
    for change in changes:
        label, is_set, value = change.partition("=")
        if is_set:
            labels[label] = value
        else:
            labels.pop(label.removesuffix("-"), None)
    _save_objects(pi, there)
    return 0, ""


def _taint(pi: FakePi, name: str, change: str) -> Answer:
    there = _objects(pi)
    taint(there[f"Node//{name}"], change)
    _save_objects(pi, there)
    return 0, ""


def _get_all(pi: FakePi, words: list[str]) -> Answer:
    kinds = {kind.partition(".")[0].removesuffix("s") for kind in words[1].split(",")}
    found = [
        item for key, item in _objects(pi).items()
        if key.partition("/")[0].lower().removesuffix("s") in kinds
    ]  # fmt: skip
    if "-l" in words:
        label, _, value = words[words.index("-l") + 1].partition("=")
        found = [i for i in found if _labels(i).get(label) == value]
    return 0, json.dumps({"items": found})


def _get_one(pi: FakePi, words: list[str]) -> Answer:
    """kubectl [-n NAMESPACE] get KIND NAME -o json: all that is there is available."""
    namespace = words[1] if words[0] == "-n" else ""
    kind, name = words[words.index("get") + 1 :][:2]
    keys = (key for key in _objects(pi) if key.lower() == f"{kind}/{namespace}/{name}".lower())
    key = next(keys, None)
    if key is None:
        return 1, f'{kind} "{name}" NotFound'
    ready = {"type": "Available", "status": "True"}
    status = {
        "availableReplicas": 2, "updatedReplicas": 2, "conditions": [ready],
        "desiredNumberScheduled": 1, "numberAvailable": 1, "updatedNumberScheduled": 1,
    }  # fmt: skip
    shown = {"kind": key.partition("/")[0], "metadata": {"name": name}, "spec": {"replicas": 2}}
    return 0, json.dumps({**shown, "status": status})


def _get_node(pi: FakePi, name: str) -> Answer:
    known = f"Node//{name}" in _objects(pi) or name in pi.master_knows
    if not known:
        return 1, f'nodes "{name}" NotFound'
    ready = {"type": "Ready", "status": "True" if "kubelet.service" in pi.running else "False"}
    ready["lastHeartbeatTime"] = datetime.fromtimestamp(pi.now(), UTC).isoformat()
    there = _objects(pi).get(f"Node//{name}", {})
    return 0, json.dumps({**there, "status": {"conditions": [ready]}})


def _patch_node(pi: FakePi, words: list[str]) -> Answer:
    """kubectl patch node NAME --type=merge -p JSON"""
    there = _objects(pi)
    node = there.setdefault(f"Node//{words[2]}", {})
    merge(node, json.loads(words[-1]))
    _save_objects(pi, there)
    return 0, ""


def _evict(pi: FakePi, path: str) -> Answer:
    """…/namespaces/NAMESPACE/pods/NAME/eviction: gone at once, or kept by its budget."""
    namespace, name = path.split("/")[4], path.split("/")[6]
    key = f"Pod/{namespace}/{name}"
    if _objects(pi).get(key, {}).get("kept"):
        return 1, (
            "Error from server (TooManyRequests): Cannot evict pod as it would violate the "
            "pod's disruption budget."
        )
    return _drop(pi, key)


def _drop(pi: FakePi, key: str) -> Answer:
    there = _objects(pi)
    if there.pop(key, None) is None:
        return 1, "Error from server (NotFound): pods not found"
    _save_objects(pi, there)
    return 0, ""


def put_objects(pi: FakePi, objects: dict[str, dict[str, Any]]) -> None:
    """Into its etcd, or that of the master that a worker asks."""
    _save_objects(pi, _objects(pi) | objects)


def objects_of(pi: FakePi) -> dict[str, dict[str, Any]]:
    return _objects(pi)


def _labels(item: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = item.get("metadata", {}).get("labels", {})
    return found


def _key(item: dict[str, Any]) -> str:
    meta = item["metadata"]
    return f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"
