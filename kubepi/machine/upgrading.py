"""What this Pi remembers of its upgrade; decide/upgrade.py says what it means.

May touch: /var/lib/kubepi/upgrade.json and before-upgrade. Tests: tests/steps/test_upgrading.py.
"""

from dataclasses import replace
from typing import Any

from kubepi.decide.upgrade import Upgrade, cause
from kubepi.errors import CommandFailed, KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host

RECORD = f"{state.STATE}/upgrade.json"
KEPT = f"{state.STATE}/before-upgrade"  # files as they were before kubeadm changed them


def load(host: Host) -> Upgrade | None:
    data = state.read_json(host, RECORD)
    found = None if data is None else Upgrade(**data)
    if found is not None and not host.exists(state.PENDING):
        return None  # it has ended; a cut kept the record from being removed
    return found


def begin(host: Host, upgrade: Upgrade) -> Upgrade:
    """From here on `resume` goes on with it; what was done of the same before counts."""
    before = load(host)
    if before is not None and before.version == upgrade.version:
        upgrade = replace(before, forced=upgrade.forced, failed="")
    if not host.exists(state.PENDING):
        host.write(state.PENDING, "", 0o600)
    if before != upgrade:
        save(host, upgrade)
    return upgrade


def note(host: Host, **news: Any) -> Upgrade:
    """What of it is done now."""
    found = load(host)
    assert found is not None, "it was noted before the first change"
    save(host, replace(found, **news))
    return replace(found, **news)


def save(host: Host, upgrade: Upgrade) -> None:
    state.write_json(host, RECORD, upgrade.to_json())


def note_failure(host: Host, error: KubepiError) -> None:
    """For the advert, and for the next who asks."""
    output = error.output if isinstance(error, CommandFailed) else ""
    if load(host) is not None:
        note(host, failed=cause(error.sentence, output))


def forget(host: Host) -> None:
    """Of what is over; another one that was wished for meanwhile stays."""
    found = load(host)
    if found is None or found.over:
        host.remove(RECORD)


def is_on(host: Host) -> bool:
    """Whether this node is between two versions, and nothing else may change it."""
    found = load(host)
    return found is not None and not found.over
