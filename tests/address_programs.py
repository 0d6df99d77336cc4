"""A master that got another address: its manifests, etcd and containers, as fakes.

Texts are those of kubeadm 1.36 in the lab, shortened to the lines that name the address.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from kubepi.cluster.containers import OWN as OWN_PODS
from kubepi.machine import state
from kubepi.steps.static_pods import STATIC_PODS
from tests.fakes import Answer, FakePi
from tests.kubeadm_certs import OWN, addressed
from tests.programs import WANTS, Effects, write_durably
from tests.scene import Master, give_token, master

SERVICE = "10.96.0.1"
OLD, API_NAME = "10.0.0.5", "home.kubepi.internal"
MEMBERS = "/var/lib/etcd/members.json"
ENABLED = f"{WANTS}/kubelet.service"
OF_A_USER = "1-of-a-user"  # a container with such a name in another namespace
CTR = ("ctr", "--namespace", "k8s.io")
CONFIG = f"""\
clusters:
- cluster:
    server: https://{OLD}:6443
  name: home
"""
FILES = {
    "/etc/kubernetes/controller-manager.conf": CONFIG,
    "/etc/kubernetes/scheduler.conf": CONFIG,
    "/etc/kubernetes/kubelet.conf": CONFIG.replace(OLD, API_NAME),
    "/etc/kubernetes/manifests/etcd.yaml": f"""\
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://{OLD}:2379
    - --advertise-client-urls=https://{OLD}:2379
    - --initial-advertise-peer-urls=https://{OLD}:2380
    - --initial-cluster=pi7=https://{OLD}:2380,pi8=https://1{OLD}:2380
    - --listen-client-urls=https://127.0.0.1:2379,https://{OLD}:2379
    - --listen-peer-urls=https://{OLD}:2380
""",
    "/etc/kubernetes/manifests/kube-apiserver.yaml": f"""\
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: {OLD}:6443
    - --advertise-address={OLD}
    - --etcd-servers=https://127.0.0.1:2379
        host: {OLD}
""",
}


class Moved(Master):
    """Its containers run; kubelet and flannel tell others the address they started with."""

    containers: dict[str, str]
    told: dict[str, str]
    left_behind = False  # the address that the API server left is on the service's list
    connections = 0


def moved_master(folder: Path) -> FakePi:
    """It was at OLD, and is at OWN; all says OLD still."""
    pi = master(folder)
    give_token(pi)
    for name, text in FILES.items():
        pi.put(name, text, 0o600)
    for name, text in addressed(OLD).items():
        pi.put(name, text, 0o600)
    pi.put(state.PINNED_VERSION, "v1.36.3\n")
    pi.put(state.ADDRESSES, f"{OLD} {OLD}\n", 0o600)
    pi.put(MEMBERS, json.dumps([[0xA1, "pi7", OLD], [0xB2, "pi8", f"1{OLD}"]]))
    install_address_programs(pi)
    return pi


def install_address_programs(pi: FakePi) -> None:
    pi.__class__ = Moved
    assert isinstance(pi, Moved)
    pi.put("/usr/lib/systemd/system/kubelet.service", "")
    pi.put(ENABLED, "")
    pi.containers = {f"1-{name}": name for name in (*STATIC_PODS, "kube-proxy", "flannel")}
    pi.containers[OF_A_USER] = "etcd"
    pi.told = {"kubelet": OLD, "flannel": OLD}
    pi.changes("systemctl", "try-restart", script=_try_restart)
    pi.looks("kubectl", script=_kubectl)
    pi.looks("socat", script=_connect)
    pi.looks(*CTR, "containers", "list", script=_containers)
    pi.looks(*CTR, "tasks", "list", script=_tasks)
    pi.looks(*CTR, "tasks", "exec", script=_etcdctl)
    pi.changes(*CTR, "tasks", "kill", script=_kill)


def _try_restart(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    if argv[2] in pi.running and isinstance(pi, Moved):
        pi.told["kubelet"] = OWN
    return 0, ""


def _kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    assert isinstance(pi, Moved)
    if f"--server=https://{SERVICE}" in argv:
        return (0, "ok") if _known(pi) else (1, f"dial tcp {OLD}: no route to host")
    if "/readyz" in argv:
        _kubelet_works(pi)
        there = "kube-apiserver" in pi.containers.values()
        return (0, "ok") if there else (1, "connect: connection refused")
    return 0, json.dumps({
        "metadata": {"annotations": {"flannel.alpha.coreos.com/public-ip": pi.told["flannel"]}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": pi.told["kubelet"]}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })  # fmt: skip


def _known(pi: Moved) -> bool:
    """Whether kube-proxy has started at the new address."""
    kube_proxy = next(id_ for id_, name in pi.containers.items() if name == "kube-proxy")
    return kube_proxy.startswith("2-")


def _connect(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    assert isinstance(pi, Moved)
    assert f"TCP4:{SERVICE}:443" in argv[-1]
    pi.connections += 1
    dead = not _known(pi) or (pi.left_behind and pi.connections % 3 == 0)
    return (1, "connect: No route to host") if dead else (0, "")


def _containers(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    """One that ended is listed as long as its pod is there."""
    assert isinstance(pi, Moved)
    _kubelet_works(pi)
    wanted = [word.partition("==")[2].partition(",")[0] for word in argv[6:]]
    listed = {id_: name for id_, name in pi.containers.items() if name in wanted}
    if all(word.endswith(f",{OWN_PODS}") for word in argv[6:]):
        listed.pop(OF_A_USER, None)
    found = [f"{id_}\n0-{name}" for id_, name in listed.items()]
    return 0, "\n".join(found)


def _kubelet_works(pi: Moved) -> None:
    """It starts what is not there."""
    if "kubelet.service" in pi.running:
        there = {name for id_, name in pi.containers.items() if id_ != OF_A_USER}
        for name in set(STATIC_PODS) - there:
            pi.containers[f"2-{name}"] = name


def _tasks(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    assert isinstance(pi, Moved)
    return 0, "\n".join(["TASK PID STATUS", *(f"{id_} 77 RUNNING" for id_ in pi.containers)])


def _kill(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    assert isinstance(pi, Moved)
    yield
    if argv[-1] not in pi.containers:
        return 1, "ctr: process already finished"
    name = pi.containers.pop(argv[-1])
    if "kubelet.service" in pi.running:
        pi.containers[f"2-{name}"] = name
    if name == "flannel":
        pi.told["flannel"] = OWN
    return 0, ""


def _etcdctl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    """member list, update and remove, after the words of `ctr … tasks exec` and the five of it."""
    rows = json.loads(pi.read(MEMBERS) or "[]")
    verb, *words = argv[argv.index("member") + 1 :]
    if verb == "list":
        shown = [
            {"ID": number, "name": name, "peerURLs": [f"https://{address}:2380"]}
            for number, name, address in rows
        ]
        return 0, json.dumps({"members": shown})
    number = int(words[0], 16)
    assert number in [row[0] for row in rows]
    left = [row for row in rows if row[0] != number]
    if verb == "update":
        address = words[1].removeprefix("--peer-urls=https://").removesuffix(":2380")
        left = [[n, name, address if n == number else at] for n, name, at in rows]
    write_durably(pi, MEMBERS, json.dumps(left))
    return 0, ""
