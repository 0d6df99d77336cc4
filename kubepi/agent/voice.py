"""What this node says of itself at the moment, and the numbers that make it believable.

May touch: the node's id and its sequence numbers below /var/lib/kubepi.
Tests: tests/unit/test_voice.py.
"""

from dataclasses import dataclass

from kubepi.decide.adverts import Advert
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.credentials import cluster_id
from kubepi.decide.disabled import DISABLED, DISABLING, ENABLING, OFF, SERVING
from kubepi.decide.facts import Facts
from kubepi.decide.upgrade import FAILED, UPGRADING
from kubepi.machine import disabled, rotation, state, upgrading
from kubepi.machine.host import Host
from kubepi.machine.runner import PROGRESS

CLUSTER_ID = f"{state.STATE}/cluster-id"
BLOCK = 1000  # numbers saved ahead, so that an SD card is written once in a thousand adverts


def node_id(host: Host) -> str:
    """Random, made once per installed system: a reflashed card is a new node."""
    found = (host.read(state.NODE_ID) or "").strip()
    if not found:
        found = host.random("node id", 8).hex()
        host.mkdir(state.STATE, 0o700)
        host.write(state.NODE_ID, f"{found}\n", 0o600)
    return found


def own_cluster_id(host: Host, token: str) -> str:
    """A label, made from the token that this node had first and kept when that is changed.

    Who joins after a change makes it from a later one: it tells clusters apart for people only.
    """
    found = (host.read(CLUSTER_ID) or "").strip()
    if not found:
        found = cluster_id(token)
        host.write(CLUSTER_ID, f"{found}\n", 0o600)
    return found


@dataclass
class Sequence:
    """Numbers that only grow, also over a power cut: a block is on the disk before its use."""

    host: Host
    last: int = 0
    saved: int = 0

    def next(self) -> int:
        if self.saved == 0:
            self.last = self.saved = int((self.host.read(state.SEQUENCE) or "0").strip() or 0)
        if self.last + 1 >= self.saved:
            ahead = self.last + 1 + BLOCK
            self.host.write(state.SEQUENCE, f"{ahead}\n", 0o600)
            self.saved = ahead
        self.last += 1
        return self.last


def compose(
    host: Host, facts: Facts, address: str, sequence: int, vote: str = "", rank: str = ""
) -> Advert:
    """The advert of this moment, from the goal and from what a running plan reports."""
    goal = state.load_goal(host)
    tokens = rotation.load(host)
    if goal is None or tokens is None:
        return Advert(
            node=facts.host_name, node_id=node_id(host), address=address,
            board=facts.board.name, time=int(host.now()), sequence=sequence,
        )  # fmt: skip
    is_master = goal.role == "master" and host.exists(state.WAS_MASTER)
    pem = host.read("/etc/kubernetes/pki/ca.crt") or ""
    return Advert(
        cluster_id=own_cluster_id(host, tokens.token),
        cluster=str(goal.settings["cluster.name"]),
        node=facts.host_name,
        node_id=node_id(host),
        address=address,
        board=facts.board.name,
        role="none" if goal.verb == "up" else goal.role,
        state=_state(host, goal.verb),
        progress=_progress(host, goal.verb),
        endpoint=f"{goal.api_name}:6443" if is_master else "",
        ca_hash=ca_hash(pem) if is_master else "",
        kubernetes=(host.read(state.PINNED_VERSION) or "").strip(),
        time=int(host.now()),
        sequence=sequence,
        rank=rank,
        vote=vote,
        share=(host.read(state.SHARE) or "").strip(),
        wish=(host.read(state.WISH) or "").strip(),
        answer=(host.read(state.ANSWER) or "").strip(),
        token=tokens.word,
        life=state.life(host) if is_master else 0,
    )


def _state(host: Host, verb: str) -> str:
    if host.exists(state.LEAVING) or verb == "reset":
        return "leaving"
    absent = disabled.load(host)
    if absent is not None:
        if host.exists(state.GOING_OFF):
            return OFF
        if disabled.is_over(host, absent):
            return "ready" if host.exists(disabled.BACK) else ENABLING
        if disabled.is_stopped(host):
            return DISABLED
        return SERVING if host.exists(disabled.SERVING) else DISABLING
    if upgrading.load(host) is not None:
        return UPGRADING
    if state.goal_reached(host) or (verb == "init" and host.exists(state.WAS_MASTER)):
        return "ready"
    return {"up": "electing", "join": "joining"}.get(verb, "starting")


def _progress(host: Host, verb: str) -> str:
    if state.goal_reached(host):
        return ""
    upgrade = upgrading.load(host)
    if upgrade is not None and upgrade.failed:
        return f"{FAILED}{upgrade.failed}"
    decision = state.read_json(host, state.ELECTION) if verb == "up" else None
    if decision is not None:
        return str(decision["reason"])
    report = state.read_json(host, PROGRESS)
    return "" if report is None else f"{report['percent']} % {report['step']}"
