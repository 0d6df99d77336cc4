"""The share as the master's advert names it: when another is named, this node goes over to it.

On the master it follows the goal, and the address of the node that serves.
May touch: what steps/share.py may. Tests: tests/unit/test_following.py, tests/lab/test_vm_share.py.
"""

from dataclasses import dataclass

from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book
from kubepi.decide.share import Own, wanted_share
from kubepi.errors import KubepiError, NotYet
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.lock import locked

TRY_AGAIN = 30.0  # seconds after a failure


@dataclass
class Following:
    """Called every second or so with the newest book."""

    host: Host
    not_before: float = 0.0

    def wanted(self, goal: Goal | None, book: Book, own: Own) -> bool:
        """Whether another share is named than the one here; cheap, and nothing is asked."""
        if goal is None or not goal.is_member:
            return False
        if not state.goal_reached(self.host) or self.host.monotonic() < self.not_before:
            return False
        try:
            share = wanted_share(goal, book, own, self.host.monotonic())
        except NotYet:
            return False
        return share != state.followed_share(self.host)

    def do(self, goal: Goal) -> None:
        """Served and mounted anew; what fails is logged and tried again later."""
        self.not_before = self.host.monotonic() + TRY_AGAIN
        # only now: the agent stays small as long as nothing changes
        from kubepi.steps.parts import make_right
        from kubepi.steps.share import ShareMounted, ShareServed

        try:
            with locked(self.host, "agent"):
                make_right([ShareServed(goal), ShareMounted(goal)], self.host)
            self.host.log.tell(f"agent: the share is {state.followed_share(self.host) or 'none'}")
        except (KubepiError, NotYet, OSError) as error:
            self.host.log.tell(f"agent: the share waits for the next try: {error}")
