"""A clock that certificates and apt can live with, and the master that knows the time.

May touch: the system clock. Tests: tests/steps/test_clock.py and tests/laws.
"""

from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.decide.peerbook import find_master
from kubepi.errors import KubepiError
from kubepi.lan.peers import read_peers, wait_for_master
from kubepi.machine import state
from kubepi.machine.health import read_clock
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

SYNCHRONISED = "/run/systemd/timesync/synchronized"
BEHIND = 120.0  # seconds; kubeadm backdates its certificates by five minutes only
AHEAD, DAY = 3600.0, 86400.0  # seconds


@dataclass(frozen=True)
class MasterHeard:
    """The agent hears the master; a member that came back from a reboot need not wait for it."""

    patience: float = 120.0

    @property
    def name(self) -> str:
        return "master heard"

    def check(self, host: Host) -> Finding | None:
        if host.exists(kubectl.KUBELET) and not state.attempted(host, "join"):
            return None
        found = find_master(read_peers(host).values(), host.monotonic())
        return None if found.master is not None else Finding("is not heard yet")

    def apply(self, host: Host) -> None:
        wait_for_master(host, self.patience)


@dataclass(frozen=True)
class ClockNotBehind:
    """A Pi that was off for weeks, without a time service, steps to the master's signed time."""

    @property
    def name(self) -> str:
        return "clock against the master's"

    def _master_time(self, host: Host) -> float | None:
        """Now, by the master's clock; None if nobody says it, or a time service knows better."""
        if host.exists(SYNCHRONISED):
            return None
        master = find_master(read_peers(host).values(), host.monotonic()).master
        if master is None or not master.advert.time:
            return None
        return master.advert.time + host.monotonic() - master.heard

    def check(self, host: Host) -> Finding | None:
        told = self._master_time(host)
        if told is None or told - host.now() <= BEHIND:
            return None
        return Finding(f"is {told - host.now():.0f} s behind")

    def apply(self, host: Host) -> None:
        told = self._master_time(host)
        if told is not None:
            host.run(["date", "--set", f"@{told:.0f}"])


def ahead_of_peers(host: Host) -> str | None:
    """`is 400.0 days ahead of pi2's`; None if nobody says so, or a time service knows better."""
    now = host.monotonic()
    told = {
        peer.advert.node: peer.advert.time + now - peer.heard
        for peer in read_peers(host).values()
        if peer.trusted and not peer.is_silent(now)
    }
    if not told or read_clock(host).is_synchronised:
        return None
    node = max(told, key=lambda name: told[name])
    ahead = host.now() - told[node]
    return f"is {ahead / DAY:.1f} days ahead of {node}'s" if ahead > AHEAD else None


def last_seen(host: Host) -> float:
    """Seconds since 1970 that the agent wrote down last; 0 where it never did."""
    text = (host.read(state.LAST_SEEN) or "").strip()
    return float(text) if text.isdecimal() else 0.0


@dataclass(frozen=True)
class TimeSane:
    """A clock that certificates and apt can live with: not in the past, and synchronised
    where a time service is there to wait for (no RTC before the Pi 5)."""

    earliest: float
    patience: float = 90.0

    @property
    def name(self) -> str:
        return "clock"

    def check(self, host: Host) -> Finding | None:
        if host.now() < self.earliest:
            return Finding("is before kubepi was made")
        if host.now() < last_seen(host):
            return Finding("is before the time that was seen here last")
        if host.exists(SYNCHRONISED) or host.exists(self._accepted()):
            return None
        if not host.exists("/run/systemd/timesync"):
            return None  # no time service that runs: nothing to wait for
        return Finding("is not synchronised yet")

    def apply(self, host: Host) -> None:
        def answer() -> str | None:
            found = self.check(host)
            return None if found is None else f"the clock {found}"

        try:
            host.wait_until("the time service", answer, self.patience)
        except KubepiError as error:
            floor = max(self.earliest, last_seen(host))
            if host.now() < floor:
                # too early by days perhaps, but never before what was signed here
                host.run(["date", "--set", f"@{floor:.0f}"])
            warning = f"going on with a clock that nobody synchronised: {error.sentence}"
            host.log.line(f"warning: {warning}")
            host.say(warning)
            host.write(self._accepted(), "")

    def _accepted(self) -> str:
        return f"{state.RUN}/clock-accepted"
