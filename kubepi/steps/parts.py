"""Steps made of steps, where only the host tells which ones; each is checked before it is applied.

Tests: tests/steps/test_share.py.
"""

from collections.abc import Sequence

from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step


def first_finding(parts: Sequence[Step], host: Host) -> Finding | None:
    for part in parts:
        finding = part.check(host)
        if finding is not None:
            return Finding(f"{part.name} {finding}")
    return None


def make_right(parts: Sequence[Step], host: Host) -> None:
    """Each in turn, where it is not right yet; what a part needs is there once those before are."""
    for part in parts:
        if part.check(host) is not None:
            part.apply(host)
