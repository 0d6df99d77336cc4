"""A known board with a fresh card: its stale Node goes, and its labels come back to the new one.

A fresh card is a node of its own with the name that the board's serial gives. Its Node from before
has the pods, taints and addresses of a machine that is no more; only the labels are the user's.
May touch: Node objects, /var/lib/kubepi/labels. Tests: tests/unit/test_returning.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubepi.cluster import kubectl
from kubepi.decide.peerbook import Book
from kubepi.machine import state
from kubepi.machine.host import Host

LABELS = f"{state.STATE}/labels"
TO_BE_HEARD = 8.0  # seconds; a node that just boots speaks every second
AGAIN = 10.0  # seconds between looks at the API while a Node is awaited
Known = Mapping[str, tuple[str, str]]  # node id -> name, address


def users_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Those that no kubelet and no kubeadm sets; a role that somebody gave is one of them."""
    return {
        name: value
        for name, value in labels.items()
        if not name.partition("/")[0].endswith(("kubernetes.io", "k8s.io"))
        or (name.startswith("node-role.") and not name.endswith("/control-plane"))
    }


@dataclass
class Returning:
    """`forgotten`: ids of boards' earlier cards, which nobody needs to know any more."""

    host: Host
    forgotten: set[str] = field(default_factory=set)
    joining_since: dict[str, float] = field(default_factory=dict)
    looked_at: float = float("-inf")

    def wanted(self, book: Book, known: Known) -> bool:
        if self._back(book, known):
            return True
        due = self.host.monotonic() > self.looked_at + AGAIN
        return due and bool(self.host.listdir(LABELS))

    def do(self, book: Book, known: Known) -> None:
        """Raises NotYet or KubepiError where the API does not answer; the next call goes on."""
        self.looked_at = self.host.monotonic()
        for node, earlier in self._back(book, known).items():
            self._clear(node)
            self.forgotten |= earlier
        for node in self.host.listdir(LABELS):
            self._give_back(node)

    def _back(self, book: Book, known: Known) -> dict[str, set[str]]:
        """Name -> ids that it had on earlier cards, for each that joins with another one now."""
        now = self.host.monotonic()
        joining = {
            name: peer.advert.node
            for name, peer in book.items()
            if peer.trusted and not peer.is_silent(now) and peer.advert.state == "joining"
        }
        since = {name: self.joining_since.get(name, now) for name in joining}
        self.joining_since = since
        found = {}
        for name, node in joining.items():
            earlier = {i for i, (other, _) in known.items() if other == node} - {name}
            # one that was heard since is there: a duplicate, which the joiner finds out by itself
            gone = all(i not in book or book[i].heard < since[name] for i in earlier)
            if earlier - self.forgotten and gone and now > since[name] + TO_BE_HEARD:
                found[node] = earlier - self.forgotten
        return found

    def _clear(self, node: str) -> None:
        """The uid is written down first: a Node that comes later is not this one.

        A Ready one is that of a live duplicate, which the joiner finds out by itself.
        """
        saved: dict[str, Any] | None = state.read_json(self.host, f"{LABELS}/{node}")
        found = kubectl.get_node(self.host, node)
        if found is None:
            return
        about = found["metadata"]
        if saved is None and kubectl.not_ready_because(found) is not None:
            saved = {"uid": about["uid"], "labels": users_labels(about.get("labels", {}))}
            self.host.mkdir(LABELS, 0o700)
            state.write_json(self.host, f"{LABELS}/{node}", saved)
        if saved is not None and saved["uid"] == about["uid"]:
            self.host.log.tell(f"agent: {node} is back with a fresh card: its stale Node goes")
            kubectl.tell(self.host, "delete", "node", node, "--ignore-not-found", "--wait=false")

    def _give_back(self, node: str) -> None:
        saved = state.read_json(self.host, f"{LABELS}/{node}")
        found = kubectl.get_node(self.host, node)
        if saved is None or found is None or found["metadata"]["uid"] == saved["uid"]:
            return
        words = [f"{name}={value}" for name, value in saved["labels"].items()]
        if words:
            kubectl.tell(self.host, "label", "node", node, "--overwrite", *words)
            self.host.log.tell(f"agent: {node} has its labels back: {', '.join(words)}")
        self.host.remove(f"{LABELS}/{node}")
