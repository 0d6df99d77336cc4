"""This node against its goal, and the cluster as the API sees it; looks only.

Tests: tests/unit/test_report.py, tests/lab/test_cluster.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from kubepi.cluster import kubectl
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import clusters, masters
from kubepi.decide.placing import MASTER
from kubepi.decide.plan import disable, make_plan, upgrade
from kubepi.errors import KubepiError, NotYet
from kubepi.lan.peers import CA, read_peers
from kubepi.machine import certificates, disabled, state, upgrading
from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost
from kubepi.machine.records import installed_addons
from kubepi.machine.runner import PROGRESS
from kubepi.machine.step import Step
from kubepi.report.room import full_disks
from kubepi.report.storage import bytes_text, look_at_share
from kubepi.resources import own_file

ROOM = "room in "  # before a folder: the name of a finding about its disk


@dataclass
class Status:
    """What is printed; `drift` is step name -> finding."""

    node: str
    role: str
    cluster: str
    state: str
    version: str = ""
    progress: str = ""
    drift: dict[str, str] = field(default_factory=dict)
    share: str = ""
    certificates: str = ""  # the first that ends, of this node
    cluster_nodes: list[tuple[str, ...]] = field(default_factory=list)
    silent: str = ""


def gather(goal: Goal, host: ReadOnlyHost) -> Status:
    facts = look(host)
    reached = state.goal_reached(host)
    status = Status(
        facts.host_name, goal.role, str(goal.settings["cluster.name"]),
        "ready" if reached else "on its way",
        version=(host.read(state.PINNED_VERSION) or "").strip(),
    )  # fmt: skip
    if not reached:
        report = state.read_json(host, PROGRESS) or {}
        status.progress = f"{report.get('percent', 0)} %: {report.get('step', 'waits to go on')}"
    absent = disabled.load(host)
    plan: Sequence[Step] = make_plan(goal, facts, own_file(), installed_addons(host))
    if absent is not None and not disabled.is_over(host, absent):
        is_stopped = disabled.is_stopped(host)
        status.state = "disabled" if is_stopped else "being disabled"
        status.progress = "until the next boot" if is_stopped and absent.until == "boot" else ""
        plan, reached = disable.plan(goal, absent), False
    upgrading_to = upgrading.load(host)
    if upgrading_to is not None and not upgrading_to.over:
        status.state = "being upgraded"
        status.progress = upgrading_to.failed or status.progress
        plan = upgrade.plan(goal, upgrading_to)
    for step in plan:
        try:
            finding = step.check(host)
        except NotYet as missing:
            status.drift[step.name] = f"needs {missing.what}"
        except KubepiError as error:
            status.drift[step.name] = error.sentence
        else:
            if finding is not None:
                status.drift[step.name] = str(finding)
    first = certificates.first_to_end(host)
    status.certificates = "" if first is None else first.word(host.now())
    if reached:
        _look_at_share(status, goal, host)
    for disk in full_disks(host):
        status.drift[f"{ROOM}{disk.folder}"] = str(disk)
    _ask_cluster(status, host)
    masters = _foreign_masters(goal, facts.host_name, host)
    if len(masters) > 1:
        told = f"there are {len(masters)} with our token: {', '.join(masters)}"
        status.drift["one cluster"] = told
    return status


def _look_at_share(status: Status, goal: Goal, host: ReadOnlyHost) -> None:
    try:
        storage = look_at_share(host, goal)
    except NotYet as missing:
        status.drift["share"] = f"needs {missing.what}"
        return
    if storage is None:
        return
    room = "" if storage.room is None else f", {bytes_text(storage.room.free)} free"
    status.share = f"{storage.share.source} at {storage.share.mount}{room}"
    if storage.ailment:
        status.drift["share"] = storage.ailment


def _foreign_masters(goal: Goal, own_name: str, host: ReadOnlyHost) -> list[str]:
    """The masters of all clusters with our token, by name, where that is more than one."""
    now = host.monotonic()
    found = [peer for peer in masters(read_peers(host).values()) if not peer.is_silent(now)]
    planes, own_ca = clusters(found), ca_hash(host.read(CA) or "")
    if goal.role == "master":
        planes.add(own_ca)
    names = {peer.advert.node for peer in found} | ({own_name} if goal.role == "master" else set())
    return sorted(names) if len(planes) > 1 else []


def _ask_cluster(status: Status, host: ReadOnlyHost) -> None:
    try:
        result = kubectl.ask(host, "get", "nodes", "-o", "json", timeout=5)
    except NotYet as missing:
        status.silent = f"not in a cluster ({missing.what} is not there)"
        return
    if not result.ok:
        status.silent = (result.stderr.strip().splitlines() or ["no answer"])[-1]
        return
    for item in json.loads(result.stdout)["items"]:
        why = kubectl.not_ready_because(item)
        short = ", ".join(kubectl.is_short_of(item))
        well = f"Ready, short of {short}" if short else "Ready"
        labels = item["metadata"]["labels"]
        role = "master" if MASTER in labels else "worker"
        addresses = {entry["type"]: entry["address"] for entry in item["status"]["addresses"]}
        status.cluster_nodes.append(
            (
                item["metadata"]["name"],
                role,
                well if why is None else f"not Ready: {why}",
                item["status"]["nodeInfo"]["kubeletVersion"],
                addresses.get("InternalIP", "?"),
            )
        )
