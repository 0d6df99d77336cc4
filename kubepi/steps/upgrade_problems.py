"""What is in the way of an upgrade, found before anything is changed; looks only.

Tests: tests/steps/test_upgrade_problems.py.
"""

from collections.abc import Iterator
from typing import Any

from kubepi.cluster import etcd, kubectl
from kubepi.decide.goal import Goal
from kubepi.decide.kit import version_key
from kubepi.decide.placing import MASTER
from kubepi.decide.quorum import keeps_quorum, voters
from kubepi.decide.upgrade import OS, Upgrade, nodes_problem, refused
from kubepi.errors import PreflightFailed
from kubepi.lan.peers import other_masters, the_master
from kubepi.machine.host import Host
from kubepi.steps.apt import pinned_version
from kubepi.steps.kubeadm import node_name
from kubepi.steps.pulling import STORE
from kubepi.steps.upgrading import is_begun

ETCD = "/var/lib/etcd"
# bytes: the images and packages of a minor, unpacked, and what a system needs besides
ROOM = 1_500_000_000
ROOM_OF_PACKAGES = 500_000_000


def need_right(host: Host, goal: Goal, upgrade: Upgrade) -> None:
    """
    Raises:
        PreflightFailed: the first thing that is in the way; nothing was changed.
        NotYet: the API does not answer.
    """
    if is_begun(host):
        return
    for problem in _problems(host, goal, upgrade):
        if problem is not None:
            raise PreflightFailed(*problem)


def _problems(
    host: Host, goal: Goal, upgrade: Upgrade
) -> Iterator[tuple[str, str] | None]:
    if upgrade.version == OS:
        yield _room(host, "/var/cache", ROOM_OF_PACKAGES)
        yield from _cluster(host, goal, upgrade)
        return
    yield refused(pinned_version(host), upgrade.version)
    if goal.role == "worker":
        yield _masters(host, upgrade.version)
    yield _room(host, STORE, ROOM)
    if goal.role == "master":
        yield _room(host, "/etc/kubernetes", 2 * _etcd_bytes(host))
        yield from _cluster(host, goal, upgrade)


def _masters(host: Host, target: str) -> tuple[str, str] | None:
    """A kubelet is never newer than an API that its name may lead to."""
    for master in other_masters(host) or [the_master(host)]:
        if version_key(master.kubernetes) < version_key(target):
            return (
                f"the master {master.node} is still {master.kubernetes}",
                "first there: sudo kubepi upgrade; or --all, which keeps the order",
            )
    return None


def _room(host: Host, folder: str, needed: int) -> tuple[str, str] | None:
    free = host.free_bytes(folder)
    if free >= needed:
        return None
    return (
        f"an upgrade needs {needed // 10**6} MB in {folder}, {free // 10**6} MB are free",
        "make room (df -h); sudo kubepi doctor says what takes it",
    )


def _etcd_bytes(host: Host) -> int:
    """kubeadm keeps a copy of etcd's data."""
    files = host.path(ETCD).rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _cluster(
    host: Host, goal: Goal, upgrade: Upgrade
) -> Iterator[tuple[str, str] | None]:
    nodes = kubectl.ask_items(host, "nodes")
    versions = {n["metadata"]["name"]: _version(n) for n in nodes}
    reasons = {n["metadata"]["name"]: kubectl.not_ready_because(n) for n in nodes}
    ailing = {} if upgrade.forced else {name: why for name, why in reasons.items() if why}
    target = max(versions.values(), key=version_key) if upgrade.version == OS else upgrade.version
    yield nodes_problem(versions, ailing, target)
    if goal.role == "master" and sum(MASTER in n["metadata"].get("labels", {}) for n in nodes) > 1:
        yield _quorum(host)


def _quorum(host: Host) -> tuple[str, str] | None:
    """One master at a time: where another member of etcd is down, this one has to stay up."""
    members = etcd.asked_members(host)
    dead = [member.label for member in voters(members) if not member.alive]
    if not dead or keeps_quorum(members, [node_name(host)]):
        return None
    return (
        f"etcd's member on {dead[0]} is down, and without this one it would have no quorum",
        f"bring {dead[0]} back first, or give it up: sudo kubepi nodes forget {dead[0]}",
    )


def _version(node: dict[str, Any]) -> str:
    found: str = node["status"]["nodeInfo"]["kubeletVersion"]
    return found
