"""Another address of this node or of its API: all that names the old one is made to follow.

The addresses that all rests on are noted; as long as others are found, the plan is gone on with.
It runs beside the agent, which stays small. May touch: what steps/address.py may.
Tests: tests/unit/test_addressing.py, tests/lab/test_address.py.
"""

from dataclasses import dataclass

from kubepi.decide.address import API_SERVER, Addresses, named_address
from kubepi.decide.goal import Goal
from kubepi.decide.hosts import HOSTS, address_of
from kubepi.errors import KubepiError
from kubepi.machine import certificates, state
from kubepi.machine.host import Host
from kubepi.machine.lock import locked
from kubepi.steps.install import FILE

TRY_AGAIN = 10.0  # seconds after a failure
FOLLOW = ("/usr/bin/python3", "-I", FILE, "resume", "--addresses")
# What a job that is killed in the middle has begun is seen by the next one, so nothing is lost
# when the agent ends; each of its waits has an end of its own.
LONGEST = 1800.0


@dataclass
class Addressing:
    """Called every second or so."""

    host: Host
    not_before: float = 0.0

    def wanted(self, goal: Goal | None, own: str) -> bool:
        """Whether other addresses are noted than there are; two small files are read."""
        if goal is None or not goal.is_member or not own:
            return False
        if not state.goal_reached(self.host) or self.host.monotonic() < self.not_before:
            return False
        now = current(self.host, goal, own)
        noted = (self.host.read(state.ADDRESSES) or "").strip()
        if not now.api or noted == str(now):
            return False
        first = certificates.first_to_end(self.host)
        if first is not None and first.has_ended(self.host.now()):
            # nothing comes up with them: renewing comes first, and looks at addresses itself
            self.not_before = self.host.monotonic() + TRY_AGAIN
            return False
        return True

    def do(self, goal: Goal, own: str) -> None:
        """What fails is logged and tried again."""
        if not self.host.exists(state.ADDRESSES):
            self._note_first(goal, own)
            return
        start, now = self.host.monotonic(), current(self.host, goal, own)
        self.not_before = start + TRY_AGAIN
        self.host.log.tell(f"agent: all is to follow the addresses {now} (this node, the API)")
        try:
            self.host.run(FOLLOW, timeout=LONGEST)
        except KubepiError as error:
            self.host.log.tell(f"agent: a new address waits for the next try: {error.sentence}")
            return
        self.host.log.tell(f"agent: all follows after {self.host.monotonic() - start:.0f} s")

    def _note_first(self, goal: Goal, own: str) -> None:
        """Once: those that this node was made with."""
        manifest = self.host.read(API_SERVER) or ""
        made_with = named_address(API_SERVER, manifest) or own
        api = made_with if goal.role == "master" else current(self.host, goal, own).api
        self.host.write(state.ADDRESSES, f"{Addresses(made_with, api)}\n", 0o600)


def current(host: Host, goal: Goal, own: str) -> Addresses:
    return Addresses(own, address_of(goal.api_name, host.read(HOSTS) or ""))


def follow(host: Host, goal: Goal) -> None:
    """What the agent starts: the whole plan, from wherever an earlier one came to its end.

    Raises:
        KubepiError: it does not come to its end now.
        NotYet: something that it asks is not there.
    """
    from kubepi.decide.plan import address
    from kubepi.steps.names import own_address
    from kubepi.steps.parts import make_right

    with locked(host, "resume --addresses"):
        now = current(host, goal, own_address(host, goal))
        make_right(address.plan(goal, now), host)
