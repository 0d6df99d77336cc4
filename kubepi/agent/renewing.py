"""Certificates are renewed well before they end: once in a while the agent looks at their dates.

What has ended already is left to a person's `doctor --fix`, unless a time service vouches for the
clock: a clock that is wrong looks the same. May touch: the job that renews them.
Tests: tests/unit/test_renewing.py, tests/lab/test_certificates.py.
"""

from dataclasses import dataclass

from kubepi.agent.jobs import start_job
from kubepi.decide.certificates import RENEW_AT, Certificate
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book
from kubepi.errors import KubepiError
from kubepi.machine import certificates, state
from kubepi.machine.health import read_clock
from kubepi.machine.host import Host

LOOK_AGAIN = 3600.0  # seconds; a look reads a dozen small files
TRY_AGAIN = 300.0  # where something is due: what is in the way, a master say, may heal meanwhile
NEXT_MASTER = 0.02  # of a certificate's life: masters do not restart their etcd at the same time


@dataclass
class Renewing:
    """Called every second or so."""

    host: Host
    not_before: float = float("-inf")

    def wanted(self, goal: Goal | None, node: str, book: Book) -> bool:
        if goal is None or not goal.is_member:
            return False
        now = self.host.monotonic()
        if now < self.not_before or not state.goal_reached(self.host):
            return False
        is_due = self._is_due(goal, node, book)
        self.not_before = now + (TRY_AGAIN if is_due else LOOK_AGAIN)
        return is_due

    def do(self) -> None:
        try:
            start_job(self.host, "certificates", "doctor", "--fix", "certificates")
            self.host.log.tell("agent: certificates are due: kubepi-certificates renews them")
        except KubepiError as error:
            self.host.log.tell(f"agent: the certificates wait for the next try: {error.sentence}")

    def _is_due(self, goal: Goal, node: str, book: Book) -> bool:
        now, found = self.host.now(), [certificates.kubelet(self.host)]
        due = state.attempted(self.host, certificates.ATTEMPT) or not _all_live(found, now)
        if goal.role == "master":
            leaves = certificates.control_plane(self.host).values()
            share = RENEW_AT + NEXT_MASTER * _place(node, book)
            due = due or any(one is None or one.is_due(now, share) for one in leaves)
            found += leaves
        return due and (_all_live(found, now) or read_clock(self.host).is_synchronised is True)


def _all_live(found: list[Certificate | None], now: float) -> bool:
    return all(one is not None and not one.has_ended(now) for one in found)


def _place(node: str, book: Book) -> int:
    """How many masters come before this one, by name."""
    masters = {peer.advert.node for peer in book.values() if peer.is_master}
    return sum(1 for name in masters if name < node)
