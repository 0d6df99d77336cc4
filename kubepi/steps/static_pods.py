"""The components of a master, started anew by kubelet with what their files are now.

kubelet starts a static pod anew when its manifest changes: an annotation does it, and no manifest
is ever out of its place. May touch: the manifests' annotations, kubelet, these containers.
Tests: tests/steps/test_certificates.py and test_address.py, tests/lab/test_certificates.py.
"""

import json
from functools import partial

from kubepi.cluster import containers, kubectl
from kubepi.errors import NotYet
from kubepi.machine.host import Host
from kubepi.steps.kubeadm import node_name

MANIFESTS = "/etc/kubernetes/manifests"
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
API_SERVER_GRACE = 3.0  # seconds; it leaves the list first, then waits for those who watch
ANNOTATION = "kubepi.io/certificates"


def stop_control_plane(host: Host) -> None:
    """kubelet, and then all components: when it starts again, they start together.

    kubelet asks the API about a static pod before it starts it (syncPod in its kubelet.go, 1.36),
    and an API server that outlives its etcd lets it wait: etcd would not come back for minutes.
    An API server that may end in order takes its address off the service's list; else that stays
    there for up to half a minute (15 s of its lease, and what etcd's start adds).

    Raises:
        NotYet: containerd does not answer; kubelet runs on.
    """
    api_server = partial(containers.running, host, ("kube-apiserver",))
    api_server()  # while containerd does not answer, kubelet is left alone
    host.run(["systemctl", "stop", "kubelet"])
    containers.stop(host, "the API server", api_server, API_SERVER_GRACE)
    for container in containers.running(host, STATIC_PODS):
        containers.kill(host, container)


def restart_control_plane(host: Host, mark: str, patience: float) -> None:
    """One after the other; all at once where the API does not answer anyway.

    While it answers, what runs with the same mark already is left alone; what somebody put aside
    stays there.
    """
    import yaml

    one_by_one = kubectl.is_ready(host) is None
    if one_by_one:
        host.run(["systemctl", "start", "kubelet"])
    else:
        # one that has just begun to start a pod starts neither that nor the one of a manifest
        # which changes now, for ever (seen with 1.36.3, after a boot); at its own start it does
        stop_control_plane(host)
    there = [pod for pod in STATIC_PODS if host.exists(f"{MANIFESTS}/{pod}.yaml")]
    for pod in there:
        path = f"{MANIFESTS}/{pod}.yaml"
        manifest = yaml.safe_load(host.read(path) or "")
        if manifest is None:
            raise NotYet(path)
        manifest["metadata"].setdefault("annotations", {})[ANNOTATION] = mark
        host.write(path, yaml.safe_dump(manifest, sort_keys=False), 0o600)
        if one_by_one:
            _wait_for(host, pod, mark, patience)
    host.run(["systemctl", "start", "kubelet"])
    for pod in there:
        _wait_for(host, pod, mark, patience)


def _wait_for(host: Host, pod: str, mark: str, patience: float) -> None:
    def running() -> str | None:
        name = f"{pod}-{node_name(host)}"
        result = kubectl.ask(host, "-n", "kube-system", "get", "pod", name, "-o", "json")
        if not result.ok:
            return (result.stderr.strip().splitlines() or ["no answer"])[-1][:160]
        found = json.loads(result.stdout)
        if found["metadata"].get("annotations", {}).get(ANNOTATION) != mark:
            return "it has not been started anew"
        conditions = found.get("status", {}).get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return None if ready else "it is not ready"

    host.wait_until(f"{pod} with its new certificates", running, patience, 1.0)
