"""What a master's agent does for the others: the joiner's bootstrap token, the leaver's Node,
and the stale one of a board that comes back.

A kubelet may only read its own Node, so these are done by a master at a trusted node's word.
May touch: bootstrap-token Secrets and Node objects. Tests: tests/unit/test_duties.py, tests/lab.
"""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime

from kubepi.agent.returning import Known, Returning
from kubepi.cluster import etcd, kubectl
from kubepi.decide.credentials import bootstrap_token
from kubepi.decide.goal import TOKEN
from kubepi.decide.peerbook import Book
from kubepi.decide.placing import MASTER
from kubepi.errors import KubepiError, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host

TOKEN_SECONDS = 3600
RENEW_BEFORE = 900
DRAIN_SECONDS = 60
CERTIFICATES = "kubeadm-certs"  # for a further master, under a key that comes from the token


def token_secret(token: str, now: float) -> str:
    """The manifest of the derived bootstrap token, which ends an hour from `now`."""
    identifier, secret = bootstrap_token(token).split(".")
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + TOKEN_SECONDS))
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "bootstrap.kubernetes.io/token",
            "metadata": {"name": f"bootstrap-token-{identifier}", "namespace": "kube-system"},
            "stringData": {
                "token-id": identifier,
                "token-secret": secret,
                "expiration": ends,
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
                "description": "made by kubepi while a trusted node joins",
            },
        }
    )


@dataclass
class Duties:
    """Remembers what is done already; called every second or so with the newest book."""

    host: Host
    token_until: float = 0.0
    token: str = field(default="", repr=False)  # the cluster's, when it was looked at last
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.returning = Returning(self.host)
        self.token = self._token()

    def wanted(self, book: Book, known: Known) -> bool:
        """Whether there is anything to do; cheap, so that no thread is started for nothing."""
        return (
            self.token != self._token()
            or bool(self._joiners(book) and self._token_is_short())
            or bool(self._leavers(book))
            or self.returning.wanted(book, known)
        )

    def do(self, book: Book, known: Known) -> None:
        """Everything that is due; what fails is logged and tried again at the next call."""
        try:
            # before its new card has joined onto the stale Node
            self.returning.do(book, known)
            if self.token != self._token():
                self._follow_token()
            if self._joiners(book) and self._token_is_short():
                self._make_token()
            for name, node in self._leavers(book).items():
                self._remove(node, book[name].advert.time)
                self.left.add(name)
        except (KubepiError, NotYet) as error:
            self.host.log.tell(f"agent: a duty waits for the next try: {error}")

    def _joiners(self, book: Book) -> list[str]:
        now = self.host.monotonic()  # one that died while it joined keeps no token alive
        return [
            peer.advert.node
            for peer in book.values()
            if peer.trusted and peer.advert.state == "joining" and not peer.is_silent(now)
        ]

    def _leavers(self, book: Book) -> dict[str, str]:
        trusted = {name: peer.advert for name, peer in book.items() if peer.trusted}
        # a board that came back has a new id: an old farewell of it, recorded, counts no more
        newest = {
            advert.node: max(a.time for a in trusted.values() if a.node == advert.node)
            for advert in trusted.values()
        }
        gone = {
            name: advert.node
            for name, advert in trusted.items()
            if advert.state == "leaving" and advert.time == newest[advert.node]
        }
        self.left &= set(gone)  # a node that came back may leave again
        return {name: node for name, node in gone.items() if name not in self.left}

    def _token_is_short(self) -> bool:
        return self.host.monotonic() > self.token_until - RENEW_BEFORE

    def _token(self) -> str:
        return state.read_secret(self.host, TOKEN) or ""

    def _follow_token(self) -> None:
        """What was made of the token before lets nobody in any more."""
        token = self._token()
        if self.token:
            old = f"bootstrap-token-{bootstrap_token(self.token).split('.')[0]}"
            kubectl.tell(
                self.host, "delete", "secret", old, CERTIFICATES, "--namespace=kube-system",
                "--ignore-not-found",
            )  # fmt: skip
            self.host.log.tell("agent: the token was changed: what the one before opened is gone")
        self.token, self.token_until = token, float("-inf")

    def _make_token(self) -> None:
        token = state.need_secret(self.host, TOKEN)
        # stdin, never argv: a process list is open to everybody
        self.host.log.hide(bootstrap_token(token).split(".")[1])
        kubectl.tell(
            self.host, "apply", "--server-side", "--field-manager=kubepi", "--force-conflicts",
            "-f", "-", stdin=token_secret(token, self.host.now()),
        )  # fmt: skip
        self.token_until = self.host.monotonic() + TOKEN_SECONDS
        self.host.log.tell("agent: a trusted node joins: made the bootstrap token for an hour")

    def _remove(self, node: str, said: float) -> None:
        """Cordon, drain in bounded time, delete: what the leaver waits for."""
        found = kubectl.get_node(self.host, node)
        if found is None:
            return
        made = found.get("metadata", {}).get("creationTimestamp")
        if made and datetime.fromisoformat(made).timestamp() > said:
            self.host.log.tell(f"agent: {node} is younger than that farewell: it is not used")
            return
        self.host.log.tell(f"agent: {node} leaves: draining and deleting its Node")
        try:
            kubectl.tell(
                self.host, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                "--force", f"--timeout={DRAIN_SECONDS}s", timeout=DRAIN_SECONDS + 30,
            )  # fmt: skip
        except KubepiError as error:
            # it leaves all the same; what could not move is started elsewhere later
            self.host.log.tell(f"agent: {node} leaves undrained: {error.sentence}")
        kubectl.tell(self.host, "delete", "node", node, "--ignore-not-found", "--wait=false")
        if MASTER in found["metadata"].get("labels", {}):
            self._take_out(node)

    def _take_out(self, node: str) -> None:
        """Of etcd; one whose own member answers does that itself."""
        for member in etcd.asked_members(self.host):
            if member.name == node and not member.alive:
                etcd.remove(self.host, member)
                self.host.log.tell(f"agent: {node} is out of etcd")
