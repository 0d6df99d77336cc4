"""A master of before a restore: the cluster was made again from a backup, and goes on without it.

An old first master hears its own id from another board; an old further one hears a master of a
later life of its cluster. It stops its control plane for good, since there must not be two.
May touch: the note of it, kubelet, the static pods. Tests: tests/unit/test_replaced.py, tests/lab.
"""

from dataclasses import dataclass

from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.peerbook import Book, masters, other_life
from kubepi.errors import KubepiError
from kubepi.lan.peers import CA
from kubepi.machine import state
from kubepi.machine.host import Host

TRY_AGAIN = 30.0  # seconds after a failure


@dataclass
class Replaced:
    """Remembers it over boots: whoever was replaced says nothing any more."""

    host: Host
    own_id: str
    is_so: bool = False
    is_stopped: bool = False
    not_before: float = 0.0

    def __post_init__(self) -> None:
        self.is_so = self.host.exists(state.REPLACED)

    def hear(self, record: bytes, key: bytes | None) -> None:
        if self.is_so or self.own_id.encode() not in record:
            return
        said = int((self.host.read(state.SEQUENCE) or "0").strip() or 0)
        advert = other_life(record, key, self.own_id, said)
        if advert is not None:
            self.host.log.tell(f"agent: {advert.node} goes on at {advert.address}, not here")
            self._note(advert.address)

    def look(self, book: Book) -> None:
        """Whether a master of a later life of this cluster is among the peers."""
        if self.is_so or not any(peer.advert.life for peer in book.values()):
            return
        if not self.host.exists(state.WAS_MASTER):
            return
        own, ca = state.life(self.host), ca_hash(self.host.read(CA) or "")
        for advert in (peer.advert for peer in masters(book.values())):
            if advert.life > own and advert.ca_hash == ca:
                where = f"{advert.node} ({advert.address})"
                self.host.log.tell(f"agent: the cluster was restored and goes on at {where}")
                goal = state.load_goal(self.host)
                is_first = goal is None or goal.makes_cluster  # its id has another board now
                self._note(advert.address if is_first else f"{advert.address} {state.OLDER}")
                return

    def _note(self, text: str) -> None:
        self.host.write(state.REPLACED, f"{text}\n", 0o600)
        self.is_so = True

    def is_silent(self) -> bool:
        """Whoever leaves says so, but not under an id that another board has now."""
        if not self.is_so:
            return False
        goal = state.load_goal(self.host)
        leaves = goal is not None and goal.verb == "reset"
        return not (leaves and state.is_older(self.host))

    def wanted(self) -> bool:
        return self.is_so and not self.is_stopped and self.host.monotonic() > self.not_before

    def do(self) -> None:
        """No second API with the same name, and no boot that starts one."""
        from kubepi.steps import control_plane  # only then: the agent stays small

        self.not_before = self.host.monotonic() + TRY_AGAIN
        try:
            control_plane.stop(self.host)
            self.host.run(["systemctl", "disable", "kubelet"])
        except KubepiError as error:
            self.host.log.tell(f"agent: the replaced master waits to stop: {error.sentence}")
            return
        self.is_stopped = True
