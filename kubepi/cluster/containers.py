"""Containers of Kubernetes as containerd knows them: no API is needed, and no crictl.

kubelet labels each with the name that it has in its pod. Tests: tests/unit/test_etcd.py,
tests/steps/test_address.py, tests/steps/test_stopping.py.
"""

from collections.abc import Callable, Collection
from contextlib import suppress

from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine.host import Host

CTR = ("ctr", "--namespace", "k8s.io")
NAME_LABEL = 'labels."io.kubernetes.container.name"'
# of the cluster's own pods; a user's may have a container that is called etcd, too
KILLED_WITHIN = 30.0  # seconds: a slow card may hold up what is to end
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


def stop(host: Host, what: str, left: Callable[[], Collection[str]], grace: float) -> None:
    """Those that are `left` are asked to end, and killed after `grace` seconds.

    Raises:
        StepFailed: they run on all the same.
    """

    def gone() -> str | None:
        there = len(left())
        return f"{there} still run" if there else None

    for signal, patience in (("SIGTERM", grace), ("SIGKILL", KILLED_WITHIN)):
        for container in sorted(left()):
            with suppress(CommandFailed):  # it went by itself meanwhile; `left` tells
                kill(host, container, signal)
        try:
            host.wait_until(f"{what} to stop", gone, patience)
        except StepFailed:
            if signal == "SIGKILL":
                raise
        else:
            return


def kill(host: Host, container: str, signal: str = "SIGKILL") -> None:
    """kubelet, where it runs, starts another in its place."""
    try:
        host.run([*CTR, "tasks", "kill", "--signal", signal, container])
    except CommandFailed as error:
        if "not found" not in error.output and "already finished" not in error.output:
            raise
