"""How fit a Pi is to be the master, as numbers that all nodes compare the same way; pure.

Tests: tests/unit/test_fitness.py.
"""

from collections.abc import Mapping
from typing import Any

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.preflight import MASTER_MB, problems
from kubepi.decide.votes import Rank

DISKS = ("USB", "NVMe", "SATA", "virtual disk")
SLOWEST = 9999  # tenths of a millisecond


def role_of(settings: Mapping[str, Any], name: str) -> str:
    """master, worker or auto: what the config says of the node called `name`."""
    named = settings["cluster.masters"]
    if isinstance(named, list) and named:
        return "master" if name in named else "worker"
    return str(settings["node.role"])


def why_unfit(
    facts: Facts, settings: Mapping[str, Any], name: str, now: float, built: float
) -> str | None:
    """Why this Pi never proposes itself; None if it may."""
    if role_of(settings, name) == "worker":
        return "the configuration makes it a worker"
    waived = settings["preflight.ignore"]
    found = problems(facts, Goal("init", settings), now, built)
    return next((p.sentence for p in found if p.name not in waived), None)


def rank(facts: Facts, settings: Mapping[str, Any], name: str, sync_ms: float | None) -> Rank:
    """Configured role, memory, disk rather than card, wired, and how soon a write is on the disk.

    `sync_ms`: milliseconds that a small synced write takes; None where it was not measured.
    """
    tenths = SLOWEST if sync_ms is None else min(SLOWEST, round(sync_ms * 10))
    wired = facts.network is not None and not facts.network.is_wireless
    return (
        int(role_of(settings, name) == "master"),
        int(facts.memory_mb >= MASTER_MB),
        int(facts.storage.kind in DISKS),
        int(wired),
        SLOWEST - tenths,
    )
