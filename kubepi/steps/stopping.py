"""Everything of Kubernetes on this Pi stopped in order, so that the plug may be pulled.

The kubelet first, so that nothing is started again; then the pods, each asked before it is
killed; then the control plane, etcd last. Without crictl, which Debian does not have: a task that
ends is noticed by containerd's CRI plugin as one that ended by itself.
May touch: the kubelet's unit, containers, mounts of pods, the share's mount, the NFS server.
Tests: tests/steps/test_stopping.py, tests/lab/test_life.py.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from kubepi.cluster.containers import CTR, stop
from kubepi.decide.disabled import still_on
from kubepi.decide.mounts import NFS_SERVER, unit_name
from kubepi.errors import NotYet
from kubepi.lan.peers import read_peers
from kubepi.machine import disabled
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding
from kubepi.steps.mounts import EXPORTS
from kubepi.steps.services import KUBELET, is_active, unit_state

GRACE = 30.0  # seconds between SIGTERM and SIGKILL: what Kubernetes gives a pod by default
CONTROL_PLANE = (
    ("kube-controller-manager", "kube-scheduler"),
    ("kube-apiserver",),
    ("etcd",),
)
PODS = "/var/lib/kubelet/pods"


@dataclass(frozen=True)
class KubeletStopped:
    """Also at the next boot."""

    @property
    def name(self) -> str:
        return "kubelet stopped"

    def check(self, host: Host) -> Finding | None:
        found = unit_state(host, KUBELET)
        if found.get("ActiveState") in ("active", "activating", "reloading", "deactivating"):
            return Finding("is running")
        return Finding("is enabled") if found.get("UnitFileState") == "enabled" else None

    def apply(self, host: Host) -> None:
        host.run(["systemctl", "disable", "--now", KUBELET])
        host.sync()


def _listed(host: Host, *words: str) -> list[str]:
    result = host.probe([*CTR, *words])
    if not result.ok:
        raise NotYet("containerd")
    return result.stdout.splitlines()


def _running(host: Host, only: set[str] | None = None, but: Collection[str] = ()) -> set[str]:
    """Ids of the tasks at work; containerd that does not run has none that kubepi could stop."""
    if not is_active(host, "containerd.service"):
        return set()
    rows = (line.split() for line in _listed(host, "tasks", "list"))
    running = {row[0] for row in rows if row[2:] == ["RUNNING"]} - set(but)
    return running if only is None else running & only


def _with_label(host: Host, label: str, value: str) -> set[str]:
    return set(_listed(host, "containers", "list", "--quiet", f'labels."{label}"=={value}'))


def _component(host: Host, name: str) -> set[str]:
    """The control plane's container of this name; a user's of the same name is in another pod."""
    of_system = _with_label(host, "io.kubernetes.pod.namespace", "kube-system")
    return of_system & _with_label(host, "io.kubernetes.container.name", name)


@dataclass(frozen=True)
class PodsStopped:
    """No container runs, and nothing of a pod is mounted."""

    @property
    def name(self) -> str:
        return "pods stopped"

    def check(self, host: Host) -> Finding | None:
        running = _running(host)
        if running:
            return Finding(f"{len(running)} containers run")
        mounted = host.mounts_below(PODS)
        return Finding(f"{mounted[0]} is mounted") if mounted else None

    def apply(self, host: Host) -> None:
        groups = [{i for name in names for i in _component(host, name)} for names in CONTROL_PLANE]
        sandboxes = _with_label(host, "io.cri-containerd.kind", "sandbox")
        last = sandboxes.union(*groups)
        stop(host, "the pods", partial(_running, host, but=last), GRACE)
        for names, group in zip(CONTROL_PLANE, groups, strict=True):
            stop(host, names[-1], partial(_running, host, group), GRACE)
        stop(host, "the pods' sandboxes", partial(_running, host), GRACE)
        for mount in host.mounts_below(PODS):
            host.run(["umount", mount])


@dataclass(frozen=True)
class ShareAway:
    """Not mounted here, and not at the next boot."""

    @property
    def name(self) -> str:
        return "share unmounted"

    def _units(self, host: Host) -> list[str]:
        share = followed_share(host)
        if share is None:
            return []
        return [unit_name(share.mount, kind) for kind in ("automount", "mount")]

    def check(self, host: Host) -> Finding | None:
        for unit in self._units(host):
            found = unit_state(host, unit)
            if found.get("ActiveState") in ("active", "activating", "deactivating"):
                return Finding(f"{unit} is {found['ActiveState']}")
            if found.get("UnitFileState") == "enabled":
                return Finding(f"{unit} is enabled")
        return None

    def apply(self, host: Host) -> None:
        automount, mount = self._units(host)
        host.run(["systemctl", "disable", automount])
        host.run(["systemctl", "stop", automount, mount])
        host.sync()


@dataclass(frozen=True)
class ServingEnded:
    """The NFS server of the share stops when no other node is left that uses it."""

    patience: float = 600.0

    @property
    def name(self) -> str:
        return "share no longer served"

    def check(self, host: Host) -> Finding | None:
        if not host.exists(EXPORTS):
            return None
        found = unit_state(host, NFS_SERVER)
        if found.get("ActiveState") == "active":
            return Finding("is served")
        return Finding("is enabled") if found.get("UnitFileState") == "enabled" else None

    def apply(self, host: Host) -> None:
        host.write(disabled.SERVING, "", 0o600)
        wait_for_others(host, "", self.patience)
        host.run(["systemctl", "disable", "--now", NFS_SERVER])
        host.sync()


def wait_for_others(host: Host, role: str, patience: float) -> None:
    """Until the nodes of that role say that they are disabled; of one disabled alone, no others.

    What is left out is read anew each time: a person may decide it meanwhile.
    """

    def stopped() -> str | None:
        found = disabled.load(host)
        if found is None or not found.whole:
            return None
        left = still_on(read_peers(host), host.monotonic(), found.without, role)
        return f"{', '.join(left)} not yet disabled" if left else None

    host.wait_until("the other nodes", stopped, patience)


@dataclass(frozen=True)
class WorkersDisabled:
    """The masters stay until the workers have stopped."""

    patience: float = 600.0

    @property
    def name(self) -> str:
        return "workers disabled"

    def check(self, host: Host) -> Finding | None:
        found = disabled.load(host)
        without = () if found is None else found.without
        left = still_on(read_peers(host), host.monotonic(), without, "worker")
        return Finding(f"{', '.join(left)} not yet") if left and is_active(host, KUBELET) else None

    def apply(self, host: Host) -> None:
        wait_for_others(host, "worker", self.patience)
