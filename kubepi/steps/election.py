"""Taking part in the election: how fast the disk is, and waiting for who becomes the master.

May touch: the measured latency below /var/lib/kubepi. Tests: tests/steps/test_election.py.
"""

import statistics
from dataclasses import dataclass

from kubepi.decide.peerbook import find_master
from kubepi.errors import StepFailed
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

TRIES = 20
MOST_SECONDS = 2.0
SAMPLE = f"{state.STATE}/sync-sample"
BLOCK = "kubepi measures how soon a write is on this disk\n" * 80  # about a page


@dataclass(frozen=True)
class SyncMeasured:
    """The median of a few synced writes: etcd waits for such a write at every change."""

    @property
    def name(self) -> str:
        return "speed of the disk"

    def check(self, host: Host) -> Finding | None:
        return None if host.exists(state.SYNC_LATENCY) else Finding("was not measured")

    def apply(self, host: Host) -> None:
        times: list[float] = []
        start = host.monotonic()
        while len(times) < TRIES and host.monotonic() - start < MOST_SECONDS:
            before = host.monotonic()
            host.write(SAMPLE, BLOCK, 0o600)
            times.append(host.monotonic() - before)
        host.remove(SAMPLE)
        host.write(state.SYNC_LATENCY, f"{statistics.median(times) * 1000:.1f}\n", 0o600)


@dataclass(frozen=True)
class MasterDecided:
    """The agents elected this Pi, or there is a master that is ready to be joined."""

    patience: float = 900.0

    @property
    def name(self) -> str:
        return "election"

    def check(self, host: Host) -> Finding | None:
        missing = why_undecided(host)
        return None if missing is None else Finding(missing)

    def apply(self, host: Host) -> None:
        def answer() -> str | None:
            decision = state.read_json(host, state.ELECTION) or {}
            if decision.get("verdict") == "stop":
                raise StepFailed(decision["reason"], decision["hint"])
            return why_undecided(host)

        try:
            host.wait_until("the election", answer, self.patience)
        except StepFailed as error:
            error.hint = (state.read_json(host, state.ELECTION) or {}).get("hint") or error.hint
            raise


def why_undecided(host: Host) -> str | None:
    """What is waited for; None if this Pi was elected, or there is a master that can be joined."""
    decision = state.read_json(host, state.ELECTION)
    if decision is None:
        return "the agent has not looked around yet"
    if decision["verdict"] == "lead":
        return None
    if decision["verdict"] == "join":
        found = find_master(read_peers(host).values(), host.monotonic())
        return None if found.master is not None else found.sentence
    return str(decision["reason"])
