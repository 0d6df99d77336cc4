"""kubeadm init, join and reset as steps that survive a power cut at any moment.

kubeadm itself is not idempotent; the steps are: a marker is on the disk before it starts and
goes after all it did is there. May touch: what kubeadm touches. Tests: tests/laws, tests/lab.
"""

import json
from dataclasses import dataclass
from typing import Any

from kubepi.cluster import kubectl
from kubepi.decide.credentials import bootstrap_token
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.kubeadm_config import Node, init_documents, join_documents
from kubepi.errors import CommandFailed, KubepiError, NotYet, StepFailed
from kubepi.lan.peers import wait_for_master
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.programs import Watch
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version

API_SECONDS = 600.0
CONFIG = f"{state.RUN}/kubeadm.yaml"
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
# What kubeadm made before the cut is there and its ports are taken.
NOT_FROM_ETCD = "--skip-phases=remove-etcd-member"
AFTER_CUT = "preflight,certs,kubeconfig,kubelet-start,control-plane,etcd"


def node_name(host: Host) -> str:
    return (host.read("/etc/hostname") or "").strip().lower()


def this_node(host: Host, goal: Goal, can_lower_oom_score: bool) -> Node:
    return Node(
        node_name(host),
        goal.settings["node.address"],
        goal.settings["kubernetes.ignore_preflight"],
        can_lower_oom_score,
    )


def run_with_config(
    host: Host,
    documents: list[dict[str, Any]],
    *words: str,
    file: str = CONFIG,
    watch: Watch | None = None,
) -> None:
    """kubeadm with a config file that is root-only and gone afterwards."""
    host.mkdir(state.RUN)
    # JSON is YAML too, and the agent has no use for a YAML library
    text = "".join(f"---\n{json.dumps(document)}\n" for document in documents)
    host.write(file, text, 0o600)
    argv = ["kubeadm", *words, "--config", str(host.path(file))]
    try:
        host.run(argv, timeout=1800, watch=watch)
    finally:
        host.remove(file)


def _runs_containers(host: Host) -> bool:
    """Not where its disk is dead: then nothing of it runs that could be stopped."""
    try:
        host.run(["systemctl", "start", "containerd"])
    except CommandFailed as error:
        host.log.line(f"decision: reset without kubeadm: {error.sentence}")
        return False
    return True


def wipe(host: Host, *options: str) -> None:
    """Take back a half-done init or join, so that the next one starts from nothing."""
    socket = "--cri-socket=unix:///run/containerd/containerd.sock"
    host.run(["kubeadm", "reset", "--force", socket, *options])
    for name in ("admin.conf", "super-admin.conf", "kubelet.conf", "bootstrap-kubelet.conf"):
        host.remove(f"/etc/kubernetes/{name}")


@dataclass(frozen=True)
class KubeadmInit:
    """This node's control plane."""

    goal: Goal
    can_lower_oom_score: bool

    @property
    def name(self) -> str:
        return "control plane (kubeadm init)"

    def check(self, host: Host) -> Finding | None:
        pinned_version(host)
        if state.attempted(host, "init"):
            return Finding("an earlier attempt was interrupted")
        if not host.exists(kubectl.ADMIN):
            return Finding("is not there")
        return None

    def apply(self, host: Host) -> None:
        if state.attempted(host, "init"):
            if self._came_up(host):
                self._init(host, f"--skip-phases={AFTER_CUT},show-join-command")
                return
            if host.exists(state.WAS_MASTER):
                raise StepFailed(
                    "the control plane of this node does not start, and it was a master already",
                    "kubepi doctor looks for the cause; nothing was wiped",
                )
            wipe(host)
        state.begin_attempt(host, "init")
        self._init(host)

    def _init(self, host: Host, *options: str) -> None:
        token = bootstrap_token(state.need_secret(host, TOKEN))
        host.log.hide(token)
        node = this_node(host, self.goal, self.can_lower_oom_score)
        documents = init_documents(
            self.goal.settings, node, pinned_version(host), self.goal.api_name, token
        )
        run_with_config(host, documents, "init", "--skip-token-print", *options)
        state.end_attempt(host, "init")

    def _came_up(self, host: Host) -> bool:
        """Whether what the cut left behind is a control plane that works."""
        there = (MANIFEST, kubectl.ADMIN, kubectl.SUPER_ADMIN, "/var/lib/kubelet/config.yaml")
        if not all(host.read(name) for name in there):
            return False
        host.run(["systemctl", "start", "kubelet"])
        try:
            host.wait_until(
                "the API", lambda: kubectl.is_ready(host, kubectl.SUPER_ADMIN), API_SECONDS, 2.0
            )
        except KubepiError as error:
            host.log.line(f"decision: wiping the interrupted control plane: {error.sentence}")
            return False
        return True


@dataclass(frozen=True)
class KubeadmJoin:
    """This node as a worker of the master that its signed advert names."""

    goal: Goal
    can_lower_oom_score: bool

    @property
    def name(self) -> str:
        return "membership (kubeadm join)"

    def check(self, host: Host) -> Finding | None:
        pinned_version(host)
        if state.attempted(host, "join"):
            return Finding("an earlier attempt was interrupted")
        if not host.exists(kubectl.KUBELET):
            return Finding("is in no cluster yet")
        return None

    def apply(self, host: Host) -> None:
        if state.attempted(host, "join"):
            if self._came_up(host):
                state.end_attempt(host, "join")
                return
            wipe(host)
        state.begin_attempt(host, "join")
        token = bootstrap_token(state.need_secret(host, TOKEN))
        host.log.hide(token)
        master = wait_for_master(host, 120)
        node = this_node(host, self.goal, self.can_lower_oom_score)
        documents = join_documents(node, f"{self.goal.api_name}:6443", token, master.ca_hash)

        def joined() -> str | None:
            try:
                run_with_config(host, documents, "join")
            except CommandFailed as error:
                # reset of the same node a moment ago: its Node goes first
                if "already exists in the cluster" not in error.output:
                    raise
                # kubeadm has written credentials by then, and would trip over them
                wipe(host)
                return f"a Ready node named {node.name} is in the cluster still"
            return None

        host.wait_until("the old node of this name to go", joined, 180, 5.0)
        state.end_attempt(host, "join")

    def _came_up(self, host: Host) -> bool:
        needed = (kubectl.KUBELET, "/var/lib/kubelet/pki/kubelet-client-current.pem")
        if not all(host.read(name) for name in needed):
            return False
        host.run(["systemctl", "start", "kubelet"])

        def registered() -> str | None:
            try:
                found = kubectl.get_node(host, node_name(host))
            except NotYet as missing:
                return f"no answer from {missing.what}"
            return "the node is not registered" if found is None else None

        try:
            host.wait_until("the interrupted join to come up", registered, 90, 2.0)
        except KubepiError as error:
            host.log.line(f"decision: joining anew: {error.sentence}")
            return False
        return True


@dataclass(frozen=True)
class KubeadmReset:
    """The opposite of init and join: no container, mount or certificate of Kubernetes left.

    `leaves_etcd`: no member is taken out of etcd; that of a copied card is another's, and that of
    one of several masters is out already.
    """

    leaves_etcd: bool = False

    @property
    def name(self) -> str:
        return "no Kubernetes (kubeadm reset)"

    def check(self, host: Host) -> Finding | None:
        for name in ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd"):
            if host.listdir(name):
                return Finding(f"{name} has content")
        if state.attempted(host, "init") or state.attempted(host, "join"):
            return Finding("an attempt is marked")
        return None

    def apply(self, host: Host) -> None:
        if host.probe(["kubeadm", "version", "-o", "short"]).ok and _runs_containers(host):
            wipe(host, *([NOT_FROM_ETCD] if self.leaves_etcd else []))
        # kubeadm leaves what it could not unmount: a dead NFS server, a busy volume
        for mount in host.mounts_below("/var/lib/kubelet"):
            host.run(["umount", mount])
        for name in ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd"):
            host.empty(name)
        host.remove(state.attempt_file("init"))
        host.remove(state.attempt_file("join"))
