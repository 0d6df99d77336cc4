"""A further master: how it becomes one, with a member of etcd, and how that member goes.

etcd counts its voting members: one that is gone without being taken out stands in the way of all
that changes, and one whose data was wiped cannot come back. So nothing is wiped here before a
living master has taken the member out.
May touch: what kubeadm touches, the list of etcd's members, the wish of this node.
Tests: tests/steps/test_more_masters.py, tests/lab/test_masters.py.
"""

from dataclasses import dataclass, field

from kubepi.cluster import containers, etcd, kubectl
from kubepi.decide.credentials import bootstrap_token, certificate_key
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.hosts import HOSTS, address_of
from kubepi.decide.kubeadm_config import master_documents
from kubepi.decide.peerbook import masters
from kubepi.decide.quorum import may_leave, voters
from kubepi.decide.wish import ADD_MASTER
from kubepi.errors import CommandFailed, KubepiError, NotYet, StepFailed, UsageError
from kubepi.lan.peers import other_masters, read_peers, wait_for_master
from kubepi.lan.wishing import asked
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version
from kubepi.steps.kubeadm import (
    API_SECONDS,
    MANIFEST,
    NOT_FROM_ETCD,
    node_name,
    run_with_config,
    this_node,
    wipe,
)
from kubepi.steps.names import own_address

DATA = "/var/lib/etcd"
BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
OUT_OF_ETCD = f"{state.STATE}/out-of-etcd"
ADMISSION_SECONDS = 300.0
WIPED = "nothing here is to be kept"  # of an attempt: no member of etcd belongs to it any more


def _living_master(host: Host, api_name: str) -> str:
    """The one that the API's name leads to: of several masters that is one whose API answers."""
    found = wait_for_master(host, 120)
    leads_to = address_of(api_name, host.read(HOSTS) or "")
    peers = masters(read_peers(host).values())
    named = [peer.advert.node for peer in peers if peer.advert.address == leads_to]
    return [*named, found.node][0]


def ask_to_join(host: Host, api_name: str) -> None:
    """A wish to a master: etcd without an old member of this node, and fresh certificates.

    Raises:
        StepFailed: it does not say in time that it is done.
    """
    master = _living_master(host, api_name)
    # of one alone: another might hear it late, and take out what has joined by then
    with asked(host, ADD_MASTER, [master]) as number:

        def answered() -> str | None:
            peers = read_peers(host).values()
            if any(peer.trusted and peer.advert.answer == number for peer in peers):
                return None
            return f"{master} has not said yet that this Pi may join as a master"

        try:
            host.wait_until(f"the master {master}", answered, ADMISSION_SECONDS)
        except StepFailed as error:
            error.hint = f"/var/log/kubepi.log on {master} says what is in the way"
            raise


@dataclass(frozen=True)
class KubeadmJoinMaster:
    """This node's control plane, as one of several, with its member of etcd."""

    goal: Goal = field(repr=False)
    can_lower_oom_score: bool

    @property
    def name(self) -> str:
        return "control plane (kubeadm join)"

    def check(self, host: Host) -> Finding | None:
        pinned_version(host)
        if state.attempted(host, "join"):
            return Finding("an earlier attempt was interrupted")
        if not host.exists(kubectl.ADMIN):
            return Finding("is not there")
        return None

    def apply(self, host: Host) -> None:
        attempt = host.read(state.attempt_file("join"))
        if attempt is not None and attempt != WIPED and self._came_up(host):
            self._kubeadm(host, "phase", "control-plane-join", "mark-control-plane")
            host.remove(BOOTSTRAP)  # as kubeadm does at the end
            state.end_attempt(host, "join")
            return
        ask_to_join(host, self.goal.api_name)
        # before it is a master: one of an earlier life than the others steps back
        host.write(state.LIFE, f"{wait_for_master(host, 120).life}\n", 0o600)
        if attempt is not None:
            state.begin_attempt(host, "join", WIPED)
            self._wipe(host)
        state.begin_attempt(host, "join")

        def joined() -> str | None:
            try:
                self._kubeadm(host)
            except CommandFailed as error:
                # reset of the same node a moment ago: its Node goes first
                if "already exists in the cluster" not in error.output:
                    raise
                self._wipe(host)
                return "a Ready node of this name is in the cluster still"
            return None

        host.wait_until("the old node of this name to go", joined, 180, 5.0)
        state.end_attempt(host, "join")

    def _kubeadm(self, host: Host, *words: str) -> None:
        """kubeadm join, or a phase of it.

        kubeadm syncs nothing that it writes, and etcd everything: so what is written goes to the
        disk every two seconds, and no cut leaves an empty manifest beside an etcd that votes.
        """
        secret = state.need_secret(host, TOKEN)
        token, key = bootstrap_token(secret), certificate_key(secret)
        host.log.hide(token)
        host.log.hide(key)
        pin = wait_for_master(host, 120).ca_hash
        node = this_node(host, self.goal, self.can_lower_oom_score)
        endpoint = f"{self.goal.api_name}:6443"
        documents = master_documents(self.goal.settings, node, endpoint, token, pin, key)
        run_with_config(host, documents, "join", *words, watch=host.sync)

    def _wipe(self, host: Host) -> None:
        wipe(host, NOT_FROM_ETCD)
        host.empty(DATA)

    def _came_up(self, host: Host) -> bool:
        """Whether what the cut left behind is a voting member with an API that works."""
        there = (MANIFEST, etcd.MANIFEST, kubectl.ADMIN, "/var/lib/kubelet/config.yaml")
        if not host.listdir(f"{DATA}/member") or not all(host.read(name) for name in there):
            return False
        host.run(["systemctl", "start", "kubelet"])

        def working() -> str | None:
            if etcd.is_learner(host):
                raise StepFailed("its member of etcd is a learner still")
            if (seen := kubectl.is_own_ready(host)) is not None:
                return seen
            return None if host.exists(kubectl.KUBELET) else "the kubelet has no credentials yet"

        try:
            host.wait_until("the interrupted control plane", working, API_SECONDS, 2.0)
        except KubepiError as error:
            host.log.line(f"decision: joining anew: {error.sentence}")
            return False
        return True


@dataclass(frozen=True)
class OutOfEtcd:
    """The others have a quorum without this node; or nobody could be asked in time."""

    patience: float = 60.0

    @property
    def name(self) -> str:
        return "out of etcd"

    def check(self, host: Host) -> Finding | None:
        if host.exists(OUT_OF_ETCD) or not host.exists(etcd.MANIFEST):
            return None
        return Finding("its member is there still")

    def apply(self, host: Host) -> None:
        def out() -> str | None:
            try:
                etcd.forget_node(host, node_name(host))
            except NotYet as missing:
                return f"no answer from {missing.what}"
            return None

        try:
            host.wait_until("etcd to let this node go", out, self.patience, 2.0)
        except KubepiError as error:
            host.log.line(f"warning: leaving etcd without its word: {error.sentence}")
        host.write(OUT_OF_ETCD, "", 0o600)


def is_one_of_several(host: Host) -> bool:
    """Whether other masters go on when this one leaves; by etcd, or by who was heard."""
    if state.is_older(host):
        return True
    if not host.exists(etcd.MANIFEST):
        return False
    try:
        return len(voters(etcd.members(host))) > 1
    except NotYet:
        return bool(other_masters(host))


def refuse_breaking(host: Host) -> None:
    """Hold what must not be taken from the other masters against a reset of this one.

    Raises:
        UsageError: etcd would have no quorum, or the share no server.
    """
    own = node_name(host)
    try:
        members = etcd.asked_members(host)
    except NotYet as error:
        if containers.running(host, ["etcd"]):
            raise UsageError(
                "etcd has no quorum: without this master there would never be one again",
                "switch the other masters on first; --force resets in spite of it",
            ) from error
        members = []  # a member that is dead takes nothing with it
    if members and not may_leave(members, {own}):
        dead = [m.label for m in voters(members) if not m.alive and m.name != own]
        raise UsageError(
            f"without this master etcd has no quorum: {', '.join(dead)} would have to answer",
            f"switch {dead[0]} on first, or give it up; --force resets in spite of it",
        )
    goal, share = state.load_goal(host), followed_share(host)
    if goal is not None and share is not None and share.address == own_address(host, goal):
        raise UsageError(
            "this master serves the share of the cluster, which would end with it",
            "sudo kubepi storage migrate --to … moves it; --force resets in spite of it",
        )
