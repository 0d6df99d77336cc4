"""The order of coming back: a worker waits for a master, and for who serves its share.

May touch: nothing. Tests: tests/steps/test_coming_back.py.
"""

from dataclasses import dataclass

from kubepi.decide.disabled import not_back
from kubepi.lan.peers import read_peers
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding


@dataclass(frozen=True)
class EarlierBack:
    """Who this node needs is there."""

    patience: float = 900.0

    @property
    def name(self) -> str:
        return "master back"

    def _seen(self, host: Host) -> str | None:
        share = followed_share(host)
        server = "" if share is None else share.address
        return not_back(read_peers(host), host.monotonic(), server)

    def check(self, host: Host) -> Finding | None:
        seen = self._seen(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        host.wait_until("those that come back first", lambda: self._seen(host), self.patience)
