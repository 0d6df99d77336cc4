"""kubeadm join, as a worker or a master, and etcd's members, of a FakePi; recorded in the lab.

The other members are on other machines: what they count survives every cut of this one.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from kubepi.machine.certificates import KUBELET as CERTIFICATE
from tests.certs import KEY, certificate
from tests.containerd_programs import KIND, NAME, SPACE
from tests.fakes import Answer, FakePi
from tests.kubeadm_certs import all_pairs, kubeconfigs
from tests.programs import Effects, write, write_durably

CTR = ("ctr", "--namespace", "k8s.io")
DATA = "/var/lib/etcd/member/wal"
ETCD = "/etc/kubernetes/manifests/etcd.yaml"
BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
KUBELET = "/etc/kubernetes/kubelet.conf"
ETCD_ID, ETCD_LABELS = "e7cd", {KIND: "container", SPACE: "kube-system", NAME: "etcd", "image": ""}
BEFORE_ETCD = {
    "/etc/kubernetes/pki/ca.crt": "the CA",
    "/etc/kubernetes/pki/ca.key": "the key",
    **all_pairs(),
    **kubeconfigs(),
    "/etc/kubernetes/manifests/kube-apiserver.yaml": "the API",
    BOOTSTRAP: "bootstrap",
    "/var/lib/kubelet/config.yaml": "kubelet's configuration",
}
CREDENTIALS = {
    CERTIFICATE: certificate() + KEY,
    KUBELET: "kubelet's credentials",
}


def install_etcd(pi: FakePi) -> None:
    pi.static_pods = lambda: {ETCD_ID: ETCD_LABELS} if etcd_runs(pi) else {}
    pi.looks(*CTR, "tasks", "exec", script=_etcdctl)


def own_name(pi: FakePi) -> str:
    return (pi.read("/etc/hostname") or "").strip()


def etcd_runs(pi: FakePi) -> bool:
    """A member that was taken out ends by itself."""
    files = all(pi.read(name) for name in (ETCD, DATA))
    return files and "kubelet.service" in pi.running and own_name(pi) in pi.etcd_elsewhere


def own_api_is_up(pi: FakePi) -> bool:
    manifest = pi.read("/etc/kubernetes/manifests/kube-apiserver.yaml")
    return bool(manifest) and etcd_runs(pi) and pi.etcd_elsewhere[own_name(pi)] == "voter"


def kubelet_works(pi: FakePi) -> None:
    """It asks the API on its own node for credentials, and says with them that it is there."""
    if not own_api_is_up(pi):
        return
    if pi.read(BOOTSTRAP) and not pi.read(KUBELET):
        for name, text in CREDENTIALS.items():
            write(pi, name, text, 0o600)
    if pi.read(KUBELET):
        pi.master_knows.add(own_name(pi))
        bring_flannel(pi)


def bring_flannel(pi: FakePi) -> None:
    """Its pod comes to every node that is known."""
    pi.path("/sys/class/net/cni0").mkdir(parents=True, exist_ok=True)
    write(pi, "/etc/cni/net.d/10-flannel.conflist", "flannel")
    pi.fake_disk.make_all_durable()


def kubeadm_join(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    config = yaml.safe_load(Path(argv[argv.index("--config") + 1]).read_text())
    assert config["discovery"]["bootstrapToken"]["caCertHashes"][0].startswith("sha256:")
    if "controlPlane" in config:
        return (yield from _join_as_master(pi, argv, config))
    for name in ("/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/bootstrap-kubelet.conf"):
        if pi.exists(name):
            return 1, f"[ERROR FileAvailable] {name} already exists"
    for name, text in (
        ("/etc/kubernetes/pki/ca.crt", "the CA"),
        ("/etc/kubernetes/bootstrap-kubelet.conf", "bootstrap"),
        ("/var/lib/kubelet/config.yaml", "kubelet's configuration"),
        ("/etc/kubernetes/kubelet.conf", "kubelet's credentials"),
        (CERTIFICATE, certificate() + KEY),
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


def _join_as_master(pi: FakePi, argv: Sequence[str], config: dict[str, Any]) -> Effects:
    node = config["nodeRegistration"]["name"]
    assert len(config["controlPlane"]["certificateKey"]) == 64
    if "phase" in argv:
        assert own_api_is_up(pi)
        return 0, ""
    for name in (*BEFORE_ETCD, ETCD, DATA):
        if pi.exists(name):
            return 1, f"[ERROR FileAvailable] {name} already exists"
    assert node not in pi.etcd_elsewhere, "etcd counts a member of an earlier attempt"
    together = all_pairs()  # or every law would cut each of them
    for name, text in BEFORE_ETCD.items():
        write(pi, name, text, 0o600)
        if name not in together:
            yield
    pi.running.add("kubelet.service")
    yield
    pi.etcd_elsewhere[node] = "learner"
    yield
    write(pi, ETCD, "etcd", 0o600)
    yield
    write_durably(pi, DATA, "entries")
    yield
    pi.etcd_elsewhere[node] = "voter"
    yield
    for name, text in CREDENTIALS.items():
        write(pi, name, text, 0o600)
        yield
    pi.path(BOOTSTRAP).unlink()
    pi.master_knows.add(node)
    yield
    bring_flannel(pi)
    yield
    return 0, ""


def _etcdctl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    words = [word for word in argv[argv.index("etcdctl") + 1 :] if not word.startswith("-")]
    members = {"pi1": "voter", **pi.etcd_elsewhere}
    names = sorted(members)
    if words[:2] == ["member", "list"]:
        listed = [
            {"ID": 160 + number, "name": name, "isLearner": members[name] == "learner",
             "peerURLs": [f"https://10.0.0.{number}:2380"],
             "clientURLs": [f"https://10.0.0.{number}:2379"]}
            for number, name in enumerate(names)
        ]  # fmt: skip
        return 0, json.dumps({"members": listed})
    if words[:2] == ["endpoint", "health"]:
        urls = [f"https://10.0.0.{number}:2379" for number in range(len(names))]
        return 0, json.dumps([{"endpoint": url, "health": True} for url in urls])
    if words[:2] == ["endpoint", "status"]:
        is_learner = members[own_name(pi)] == "learner"
        return 0, json.dumps([{"Status": {"isLearner": is_learner}}])
    assert words[:2] == ["member", "remove"], words
    del pi.etcd_elsewhere[names[int(words[2], 16) - 160]]
    return 0, ""
