"""kubeadm's configuration files (v1beta4) as plain data; pure.

Fields: field-notes of kubeadm types.go 1.32 and release notes to 1.37. The files hold the
bootstrap token, so they are written 0600 and removed after use.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

API = "kubeadm.k8s.io/v1beta4"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
# not in /etc/kubernetes, which a reset empties, and so does whoever begins anew by hand
KUBELET_FILES = "/etc/kubepi/kubelet.d"
# Ordinary pods get their usual 30 s at a shutdown, then etcd, the API server and the network end.
SHUTDOWN_SECONDS, CRITICAL_SECONDS = 45, 15
# A Pi 3 needs longer than kubeadm's 4 minutes (kubeadm #413), and a slow one than its minute
# for a call while the API server is still starting up.
PATIENCE = {
    "controlPlaneComponentHealthCheck": "10m",
    "kubeletHealthCheck": "10m",
    "kubernetesAPICall": "5m",
    "etcdAPICall": "5m",
}
# A card that stalls for the usual 10 s must not end the controller manager and the scheduler, which
# then wait longer and longer to start again (kubernetes #74340, #129613). The price: where a master
# of several is lost, the others' take over after 40 s instead of 15.
LEADER = {
    "leader-elect-lease-duration": "40s",
    "leader-elect-renew-deadline": "30s",
    "leader-elect-retry-period": "5s",
}
# A pod of the new pause image has to end within a minute, on any node, which has to pull it first
# (kubeadm #3282); whether all nodes are Ready kubepi asks itself.
NO_UPGRADE_CHECKS = ("CreateJob",)


@dataclass(frozen=True)
class Node:
    """What kubeadm is told of this node; `address` is empty where the default is right."""

    name: str
    address: str
    ignore_preflight: Sequence[str]
    can_lower_oom_score: bool


def _arguments(flags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in flags.items()]


def _registration(node: Node) -> dict[str, Any]:
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "ignorePreflightErrors": list(node.ignore_preflight),
        # kubeadm's own file is the same for all nodes, and written anew by an upgrade
        "kubeletExtraArgs": _arguments({"config-dir": KUBELET_FILES}),
    }
    if node.address:
        registration["kubeletExtraArgs"] += _arguments({"node-ip": node.address})
    return registration


def _master_registration(settings: Mapping[str, Any], node: Node) -> dict[str, Any]:
    registration = _registration(node)
    if settings["kubernetes.workloads_on_control_plane"] != "no":
        # as long as there is no worker; the master's agent sets it (steps/taint.py)
        registration["taints"] = []
    return registration


def init_documents(
    settings: Mapping[str, Any], node: Node, version: str, api_name: str, token: str
) -> list[dict[str, Any]]:
    """The four documents of `kubeadm init --config`."""
    registration = _master_registration(settings, node)
    init: dict[str, Any] = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": token, "ttl": "1h0m0s"}],
        "nodeRegistration": registration,
        "timeouts": PATIENCE,
        # its last phase prints the token
        "skipPhases": ["show-join-command"],
    }
    if node.address:
        init["localAPIEndpoint"] = {"advertiseAddress": node.address}
    moves_after = str(settings["kubernetes.pods_move_after"])
    cluster = {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": settings["cluster.name"],
        "kubernetesVersion": version,
        "controlPlaneEndpoint": f"{api_name}:6443",
        # far cheaper than RSA on a Pi
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {
            "podSubnet": settings["kubernetes.pod_subnet"],
            "serviceSubnet": settings["kubernetes.service_subnet"],
        },
        "apiServer": {
            "certSANs": [api_name, node.name, f"{node.name}.local", "localhost", "127.0.0.1"],
            "extraArgs": _arguments(
                {
                    f"default-{condition}-toleration-seconds": moves_after
                    for condition in ("not-ready", "unreachable")
                }
            ),
        },
        "controllerManager": {
            "extraArgs": _arguments(
                {
                    "node-monitor-grace-period": f"{settings['kubernetes.not_ready_after']}s",
                    # how often it looks; upstream's 5 s would come on top of that
                    "node-monitor-period": "2s",
                }
                | LEADER
            )
        },
        "scheduler": {"extraArgs": _arguments(LEADER)},
    }
    return [init, cluster, kubelet_document(settings, node), proxy_document(settings, node)]


def kubelet_document(settings: Mapping[str, Any], node: Node) -> dict[str, Any]:
    silence = settings["kubernetes.not_ready_after"]
    kubelet: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        # fewer writes to an SD card
        "containerLogMaxSize": "5Mi",
        "containerLogMaxFiles": 3,
        # renewed four times in that (pkg/kubelet/kubelet.go, nodeLeaseRenewIntervalFraction)
        "nodeLeaseDurationSeconds": silence,
        # also how long a sign of life may take before the line to the API is given up for a new one
        "nodeStatusUpdateFrequency": f"{round(silence / 4)}s",
        # not named, it would follow the line above: a write to etcd by each node every time
        "nodeStatusReportFrequency": "5m",
        # a plain `poweroff` ends the pods in order; logind waits for it (steps/os_services.py)
        "shutdownGracePeriod": f"{SHUTDOWN_SECONDS}s",
        "shutdownGracePeriodCriticalPods": f"{CRITICAL_SECONDS}s",
    }
    if not node.can_lower_oom_score:
        kubelet["oomScoreAdj"] = 0
    kubelet.update(settings["kubernetes.kubelet"])
    return kubelet


def proxy_document(settings: Mapping[str, Any], node: Node) -> dict[str, Any]:
    proxy: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": settings["kubernetes.proxy_mode"],
    }
    if not node.can_lower_oom_score:
        proxy["oomScoreAdj"] = 0
    proxy.update(settings["kubernetes.kube_proxy"])
    return proxy


def join_documents(node: Node, endpoint: str, token: str, ca_hash: str) -> list[dict[str, Any]]:
    """The one document of `kubeadm join --config`; `ca_hash` is `sha256:<hex>`."""
    return [
        {
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "token": token,
                    "apiServerEndpoint": endpoint,
                    "caCertHashes": [ca_hash],
                }
            },
            "nodeRegistration": _registration(node),
            "timeouts": PATIENCE | {"discovery": "5m0s", "tlsBootstrap": "10m"},
        }
    ]


def master_documents(
    settings: Mapping[str, Any], node: Node, endpoint: str, token: str, ca_hash: str, key: str
) -> list[dict[str, Any]]:
    """As `join_documents`, for a further master; `key` opens the certificates of the others."""
    join = join_documents(node, endpoint, token, ca_hash)[0]
    plane: dict[str, Any] = {"certificateKey": key}
    if node.address:
        plane["localAPIEndpoint"] = {"advertiseAddress": node.address}
    registration = _master_registration(settings, node)
    return [join | {"controlPlane": plane, "nodeRegistration": registration}]


def upload_documents(version: str, api_name: str, key: str) -> list[dict[str, Any]]:
    """For `kubeadm init phase upload-certs`; without a version it would ask the internet."""
    return [
        {"apiVersion": API, "kind": "InitConfiguration", "certificateKey": key},
        {
            "apiVersion": API,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": version,
            "controlPlaneEndpoint": f"{api_name}:6443",
        },
    ]


def upgrade_document(version: str, ignore_preflight: Sequence[str]) -> dict[str, Any]:
    """The document of `kubeadm upgrade apply --config` and `kubeadm upgrade node --config`."""
    ignored = [*ignore_preflight, *(n for n in NO_UPGRADE_CHECKS if n not in ignore_preflight)]

    def common() -> dict[str, Any]:
        return {"imagePullPolicy": "IfNotPresent", "ignorePreflightErrors": list(ignored)}

    return {
        "apiVersion": API,
        "kind": "UpgradeConfiguration",
        "apply": {"kubernetesVersion": version, **common()},
        "node": common(),
        "timeouts": PATIENCE | {"upgradeManifests": "10m"},
    }


def certificate_documents(
    settings: Mapping[str, Any], node: Node, version: str, api_name: str
) -> list[dict[str, Any]]:
    """What kubeadm needs to sign certificates anew while no API answers; no secret is in it."""
    init, cluster, *_ = init_documents(settings, node, version, api_name, "")
    del init["bootstrapTokens"]
    return [init, cluster]


def bootstrap_kubeconfig(endpoint: str, authority: str, token: str) -> str:
    """What kubeadm join gives a kubelet until it has a certificate; YAML, in the form of JSON."""
    data = base64.b64encode(authority.encode()).decode()
    cluster = {"server": f"https://{endpoint}", "certificate-authority-data": data}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": cluster}],
            "users": [{"name": "tls-bootstrap-token-user", "user": {"token": token}}],
            "contexts": [
                {
                    "name": "bootstrap",
                    "context": {"cluster": "kubernetes", "user": "tls-bootstrap-token-user"},
                }
            ],
            "current-context": "bootstrap",
        }
    )
