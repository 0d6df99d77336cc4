"""containerd, kubeadm and kubectl of a FakePi, as effects recorded from real runs in the lab."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.containerd_programs import install_containerd
from tests.fakes import Answer, FakePi
from tests.programs import Effects, write, write_durably

OBJECTS = "/var/lib/etcd/objects.json"


def install_kubernetes(pi: FakePi) -> None:
    install_containerd(pi)
    pi.looks("kubeadm", "version", script=_kubeadm_version)
    pi.changes("kubeadm", "init", script=_kubeadm_init)
    pi.changes("kubeadm", "join", script=_kubeadm_join)
    pi.changes("kubeadm", "reset", script=_kubeadm_reset)
    pi.looks("kubectl", script=_kubectl)


def _kubeadm_version(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    return (0, "v1.36.3") if pi.exists("/usr/bin/kubeadm") else (127, "not found")


INIT_FILES = {
    "/etc/kubernetes/pki/ca.crt": "the CA",
    "/etc/kubernetes/pki/ca.key": "the key",
    "/etc/kubernetes/kubelet.conf": "kubelet's credentials",
    "/etc/kubernetes/admin.conf": "admin's credentials",
    "/etc/kubernetes/super-admin.conf": "super admin's credentials",
    "/etc/kubernetes/manifests/etcd.yaml": "etcd",
    "/var/lib/kubelet/config.yaml": "kubelet's configuration",
    "/etc/kubernetes/manifests/kube-apiserver.yaml": "the API",
}


def _kubeadm_init(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    config = list(yaml.safe_load_all(Path(argv[argv.index("--config") + 1]).read_text()))
    skipped = next((w for w in argv if w.startswith("--skip-phases=")), "")
    if "preflight" not in skipped:
        taken = [name for name in INIT_FILES if pi.exists(name)]
        if taken:
            return 1, f"[ERROR FileAvailable] {taken[0]} already exists"
    if "certs" not in skipped:
        for name, text in INIT_FILES.items():
            write(pi, name, text, 0o600)
            yield
        pi.running.add("kubelet.service")
        yield
    node = config[0]["nodeRegistration"]["name"]
    _save_objects(pi, _objects(pi) | {f"Node//{node}": {"ready": True}})
    yield
    _save_objects(pi, _objects(pi) | {"Deployment/kube-system/coredns": {}})
    pi.path("/sys/class/net/cni0").mkdir(parents=True, exist_ok=True)
    write(pi, "/etc/cni/net.d/10-flannel.conflist", "flannel")
    write(pi, "/proc/rules", "*nat\n:KUBE-SERVICES - [0:0]\n-A MINE -j ACCEPT\nCOMMIT\n")
    yield
    return 0, ""


def _kubeadm_join(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    config = yaml.safe_load(Path(argv[argv.index("--config") + 1]).read_text())
    assert config["discovery"]["bootstrapToken"]["caCertHashes"][0].startswith("sha256:")
    for name in ("/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/bootstrap-kubelet.conf"):
        if pi.exists(name):
            return 1, f"[ERROR FileAvailable] {name} already exists"
    for name, text in (
        ("/etc/kubernetes/pki/ca.crt", "the CA"),
        ("/etc/kubernetes/bootstrap-kubelet.conf", "bootstrap"),
        ("/var/lib/kubelet/config.yaml", "kubelet's configuration"),
        ("/etc/kubernetes/kubelet.conf", "kubelet's credentials"),
        ("/var/lib/kubelet/pki/kubelet-client-current.pem", "certificate"),
    ):
        write(pi, name, text, 0o600)
        yield
    pi.path("/etc/kubernetes/bootstrap-kubelet.conf").unlink()
    pi.running.add("kubelet.service")
    pi.master_knows.add(config["nodeRegistration"]["name"])
    yield
    pi.path("/sys/class/net/cni0").mkdir(parents=True, exist_ok=True)
    write(pi, "/etc/cni/net.d/10-flannel.conflist", "flannel")
    yield
    return 0, ""


def _kubeadm_reset(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    pi.running.discard("kubelet.service")
    for folder in ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd"):
        for path in sorted(pi.path(folder).rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
            yield
    return 0, ""


def _objects(pi: FakePi) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(pi.read(OBJECTS) or "{}")
    return found


def _save_objects(pi: FakePi, objects: dict[str, dict[str, object]]) -> None:
    """etcd syncs what it answers."""
    pi.path(OBJECTS).parent.mkdir(parents=True, exist_ok=True)
    write_durably(pi, OBJECTS, json.dumps(objects))


def _api_is_up(pi: FakePi) -> bool:
    if pi.read("/etc/kubernetes/admin.conf") is None:
        return bool(pi.read("/etc/kubernetes/kubelet.conf"))  # a worker asks the master's
    return "kubelet.service" in pi.running and all(pi.read(name) for name in INIT_FILES)


def _kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    if not _api_is_up(pi):
        return 1, "connection refused"
    # kubectl --kubeconfig FILE --cache-dir FOLDER --request-timeout=… VERB …
    words = list(argv[6:])
    if "/readyz" in words:
        return 0, "ok"
    if words[:1] == ["apply"]:
        items = {_key(item): item for item in json.loads(stdin)["items"]}
        _save_objects(pi, _objects(pi) | items)
        return 0, ""
    if words[:2] == ["get", "nodes"]:
        return 0, '{"items": []}'
    if words[:2] == ["get", "node"]:
        return _get_node(pi, words[2])
    if words[:1] == ["get"] and stdin:
        there = _objects(pi)
        found = [there[_key(i)] for i in json.loads(stdin)["items"] if _key(i) in there]
        return 0, json.dumps({"items": found})
    if "deployment" in words:
        if "Deployment/kube-system/coredns" not in _objects(pi):
            return 1, "NotFound"
        return 0, json.dumps({"spec": {"replicas": 2}, "status": {"availableReplicas": 2}})
    raise AssertionError(f"no script for {list(argv)}")


def _get_node(pi: FakePi, name: str) -> Answer:
    known = f"Node//{name}" in _objects(pi) or name in pi.master_knows
    if not known:
        return 1, f'nodes "{name}" NotFound'
    ready = {"type": "Ready", "status": "True" if "kubelet.service" in pi.running else "False"}
    return 0, json.dumps({"status": {"conditions": [ready]}})


def _key(item: dict[str, dict[str, str]]) -> str:
    meta = item["metadata"]
    return f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"
