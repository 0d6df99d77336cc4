"""A master brought to a stop, so that nothing writes to etcd any more, also not at the next boot.

May touch: kubelet, all containers of this Pi, the manifests of the static pods.
Tests: tests/steps/test_restoring.py.
"""

from kubepi.machine.host import Host
from kubepi.steps.services import unit_state
from kubepi.steps.stopping import PodsStopped

MANIFESTS = "/etc/kubernetes/manifests"


def still_there(host: Host) -> str | None:
    """What of it runs, or would run at the next boot; None for nothing."""
    manifests = host.listdir(MANIFESTS)
    if manifests:
        return f"{MANIFESTS}/{manifests[0]} is there"
    if unit_state(host, "kubelet.service").get("ActiveState") == "active":
        return "kubelet runs"
    finding = PodsStopped().check(host)
    return None if finding is None else str(finding)


def stop(host: Host) -> None:
    """The manifests first: a boot in the middle starts nothing on half of a database."""
    for name in host.listdir(MANIFESTS):
        host.remove(f"{MANIFESTS}/{name}")
    host.run(["systemctl", "stop", "kubelet"])
    PodsStopped().apply(host)
