"""Ordinary pods on this master, or none, as workers join and leave.

May touch: the taints of this Node. Tests: tests/unit/test_agent_placing.py, tests/lab.
"""

from dataclasses import dataclass

from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book
from kubepi.decide.placing import SETTING
from kubepi.errors import KubepiError, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host

TRY_AGAIN = 30.0  # seconds after a failure
LOOK_AGAIN = 300.0  # seconds: Nodes and volumes also come and go without an advert

Seen = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Placing:
    """Called every second or so with the newest book; `seen` is what it last acted on."""

    host: Host
    seen: Seen | None = None
    not_before: float = 0.0
    look_at: float = 0.0

    def wanted(self, goal: Goal, book: Book) -> bool:
        """Cheap: the API is asked only when a worker has come or gone, and now and then."""
        now = self.host.monotonic()
        if now < self.not_before or not state.goal_reached(self.host):
            return False
        return _seen(goal, book) != self.seen or now > self.look_at

    def do(self, goal: Goal, book: Book) -> None:
        """What fails is logged and tried again later."""
        now = self.host.monotonic()
        # only now: the agent stays small as long as nothing changes
        from kubepi.steps.taint import MasterTaint

        step = MasterTaint(choice(goal))
        try:
            finding = step.check(self.host)
            if finding is not None:
                step.apply(self.host)
                self.host.log.tell(f"agent: {step.name}: no longer so that they {finding}")
        except (KubepiError, NotYet) as error:
            self.not_before = now + TRY_AGAIN
            self.host.log.tell(f"agent: the taint waits for the next try: {error}")
            return
        self.seen, self.look_at = _seen(goal, book), now + LOOK_AGAIN


def choice(goal: Goal) -> str:
    return str(goal.settings.get(SETTING, "auto"))


def _seen(goal: Goal, book: Book) -> Seen:
    peers = (peer.advert for peer in book.values() if peer.trusted)
    workers = {(peer.node_id, peer.state) for peer in peers if peer.role == "worker"}
    return choice(goal), frozenset(workers)
