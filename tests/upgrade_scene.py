"""A node of v1.35.4 with a kit of the next minor: what kubeadm and the kubelet do in an upgrade."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from kubepi.decide.goal import Goal
from kubepi.machine import state
from tests.etcd_programs import install_etcd
from tests.fakes import Answer, FakePi
from tests.kubernetes_programs import objects_of, put_objects
from tests.programs import HOLDS, STATUS, Effects, write
from tests.scene import KIT, give_token, init_goal, join_goal, master

OLD, NEW = "v1.35.4", "v1.36.3"
NO_PI = ["board", "clock", "memory", "network", "processors", "userland"]
MASTER = init_goal(preflight__ignore=NO_PI)
RUNS = "/run/kubelet-runs"  # the version of a kubelet that was replaced; a boot forgets it
CONFIG_MAP = "ConfigMap/kube-system/kubeadm-config"
PACKAGES = ("kubeadm", "kubelet", "kubectl", "kubernetes-cni")


def old_node(folder: Path, goal: Goal | None = None) -> FakePi:
    """A master, alone, or a worker; it has reached its goal."""
    goal = goal or MASTER
    pi = master(folder)
    if goal.verb == "join":
        pi.path("/etc/kubernetes/admin.conf").unlink()
    _give_kit(pi)
    _install(pi)
    pi.put(state.PINNED_VERSION, f"{OLD}\n")
    # kubernetes-cni has versions of its own
    versions = {name: OLD[1:] for name in PACKAGES} | {"kubernetes-cni": NEW[1:]}
    pi.put(STATUS, "".join(f"{name} {version}-1.1\n" for name, version in versions.items()))
    pi.put("/opt/cni/bin/bridge", "kubernetes-cni")
    pi.put(HOLDS, "".join(f"{name}\n" for name in sorted(PACKAGES)))
    pi.put(state.ADDED_PACKAGES, "".join(f"{name}\n" for name in sorted(PACKAGES)))
    pi.put("/usr/bin/kubeadm", "kubeadm")
    pi.put("/usr/lib/systemd/system/kubelet.service", "kubelet unit")
    put_objects(pi, {"Node//pi7": {"metadata": {"name": "pi7"}}})
    put_objects(pi, {"Deployment/kube-system/coredns": {}})
    put_objects(pi, {CONFIG_MAP: {"data": {"ClusterConfiguration": f"kubernetesVersion: {OLD}\n"}}})
    state.save_goal(pi, goal)
    state.mark_reached(pi)
    install_etcd(pi)
    give_token(pi)
    pi.fake_disk.make_all_durable()
    return pi


def old_worker(folder: Path) -> FakePi:
    return old_node(folder, join_goal())


def _give_kit(pi: FakePi) -> None:
    bundle = yaml.safe_load(pi.read(f"{KIT}/bundle.yaml") or "")
    pi.put(f"{KIT}/bundle.yaml", yaml.safe_dump({**bundle, "kubernetes": [OLD, NEW]}))


def _install(pi: FakePi) -> None:
    restart, kubectl = pi.programs["systemctl", "restart"], pi.programs["kubectl",]

    def restarted(pi: FakePi, argv: Sequence[str], stdin: str) -> Any:
        if argv[-1].startswith("kubelet"):
            write(pi, RUNS, _installed(pi, "kubelet"))
        return restart.script(pi, argv, stdin)

    def asked(pi: FakePi, argv: Sequence[str], stdin: str) -> Any:
        words = argv[6:]
        if "configmap" in words:
            return 0, json.dumps(objects_of(pi)[CONFIG_MAP])
        answer = kubectl.script(pi, argv, stdin)
        assert isinstance(answer, tuple)
        return _with_version(pi, answer) if words[:2] == ["get", "node"] else answer

    pi.changes("systemctl", "restart", script=restarted)
    pi.looks("kubectl", script=asked)
    pi.changes("kubeadm", "upgrade", script=kubeadm_upgrade)
    pi.put(RUNS, OLD)


def _installed(pi: FakePi, package: str) -> str:
    """As Kubernetes writes it: v1.36.3."""
    rows = dict(line.split(" ") for line in (pi.read(STATUS) or "").splitlines())
    return f"v{rows[package].partition('-')[0]}"


def _with_version(pi: FakePi, answer: Answer) -> Answer:
    code, text = answer
    if code:
        return answer
    node = json.loads(text)
    node["status"]["nodeInfo"] = {"kubeletVersion": pi.read(RUNS) or _installed(pi, "kubelet")}
    return 0, json.dumps(node)


def kubeadm_upgrade(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """Each manifest is moved away before the new one comes; kubeadm syncs nothing."""
    config = yaml.safe_load(Path(argv[argv.index("--config") + 1]).read_text())
    version = config["apply"]["kubernetesVersion"]
    assert config["kind"] == "UpgradeConfiguration"
    if pi.probe(["kubectl", *" " * 5, "get", "--raw", "/readyz"]).code:
        return 1, "couldn't create a Kubernetes client"
    if pi.exists("/etc/kubernetes/admin.conf"):
        backup = f"/etc/kubernetes/tmp/kubeadm-backup-manifests-{pi.clock.seconds:.0f}"
        for name in ("etcd", "kube-apiserver"):
            manifest = f"/etc/kubernetes/manifests/{name}.yaml"
            write(pi, f"{backup}/{name}.yaml", pi.read(manifest) or "")
            pi.path(manifest).unlink()
            pi.fake_disk.make_all_durable()  # the journal may be written just now
            yield
            write(pi, manifest, f"{name} {version}", 0o600)
            yield
    write(pi, "/var/lib/kubelet/config.yaml", f"kubelet's configuration {version}", 0o600)
    yield
    if argv[2] == "apply":
        put_objects(
            pi, {CONFIG_MAP: {"data": {"ClusterConfiguration": f"kubernetesVersion: {version}\n"}}}
        )
        yield
    return 0, ""
