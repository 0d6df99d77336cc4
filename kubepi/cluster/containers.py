"""Containers of Kubernetes as containerd knows them: no API is needed, and no crictl.

kubelet labels each with the name that it has in its pod. Tests: tests/unit/test_etcd.py,
tests/steps/test_address.py.
"""

from collections.abc import Collection

from kubepi.errors import CommandFailed, NotYet
from kubepi.machine.host import Host

CTR = ("ctr", "--namespace", "k8s.io")
NAME_LABEL = 'labels."io.kubernetes.container.name"'
# of the cluster's own pods; a user's may have a container that is called etcd, too
OWN = 'labels."io.kubernetes.pod.namespace"~=^kube-'


def running(host: Host, names: Collection[str]) -> list[str]:
    """The ids of those that run, of the cluster's own containers that have one of these names.

    Raises:
        NotYet: containerd does not answer.
    """
    filters = [f"{NAME_LABEL}=={name},{OWN}" for name in names]
    listed = host.probe([*CTR, "containers", "list", "--quiet", *filters])
    tasks = host.probe([*CTR, "tasks", "list"])
    if not (listed.ok and tasks.ok):
        raise NotYet("containerd")
    rows = (line.split() for line in tasks.stdout.splitlines())
    at_work = {row[0] for row in rows if row[-1:] == ["RUNNING"]}
    return [name for name in listed.stdout.split() if name in at_work]


def kill(host: Host, container: str) -> None:
    """kubelet starts another in its place."""
    try:
        host.run([*CTR, "tasks", "kill", "--signal", "SIGKILL", container])
    except CommandFailed as error:
        if "not found" not in error.output and "already finished" not in error.output:
            raise
