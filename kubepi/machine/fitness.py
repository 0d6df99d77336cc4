"""How fit this Pi is to be a master, from its facts, its config and the speed of its disk.

Tests: tests/unit/test_voter.py.
"""

from collections.abc import Mapping
from typing import Any

from kubepi import BUILT
from kubepi.decide.facts import Facts
from kubepi.decide.fitness import rank, why_unfit
from kubepi.decide.names import chosen_name
from kubepi.decide.votes import Rank
from kubepi.machine import state
from kubepi.machine.host import Host


def own_rank(facts: Facts, settings: Mapping[str, Any], host: Host) -> Rank | None:
    """How fit this Pi is to be a master; None if it is not to be one."""
    name = chosen_name(settings["node.name"], facts)
    if why_unfit(facts, settings, name, host.now(), BUILT) is not None:
        return None
    text = (host.read(state.SYNC_LATENCY) or "").strip()  # as measured once by SyncMeasured
    return rank(facts, settings, name, float(text) if text else None)
