"""What this Pi remembers of being disabled; decide/disabled.py says what it means.

May touch: /var/lib/kubepi/disabled.json and stopped, a mark below /run that a boot forgets.
Tests: tests/unit/test_disabled.py.
"""

from kubepi.decide.disabled import Disabled
from kubepi.machine import state
from kubepi.machine.host import Host

RECORD = f"{state.STATE}/disabled.json"
THIS_BOOT = f"{state.RUN}/disabled"
SERVING = f"{state.RUN}/serving"  # all is stopped but the share
BACK = f"{state.RUN}/back"  # others may come: only they are waited for
STOPPED = f"{state.STATE}/stopped"


def load(host: Host) -> Disabled | None:
    data = state.read_json(host, RECORD)
    found = None if data is None else Disabled.from_json(data)
    if found is not None and found.returning and not host.exists(state.PENDING):
        return None  # it is back; a cut kept the record from being removed
    return found


def begin(host: Host, disabled: Disabled) -> None:
    """From here on `resume` goes on with it, and a boot may end it."""
    if not disabled.returning:
        host.write(THIS_BOOT, "", 0o600)
    host.write(state.PENDING, "", 0o600)
    for mark in (STOPPED, SERVING, BACK):
        host.remove(mark)
    save(host, disabled)


def save(host: Host, disabled: Disabled) -> None:
    if load(host) != disabled:
        state.write_json(host, RECORD, disabled.to_json())


def mark_done(host: Host) -> None:
    """All is stopped. What lasts until the next boot is to be gone on with there."""
    found = load(host)
    if found is None or found.returning:  # it was called back meanwhile
        return
    host.write(STOPPED, "", 0o600)
    host.remove(SERVING)
    if found.until != "boot":
        state.mark_reached(host)


def is_stopped(host: Host) -> bool:
    """Whether the plug may be pulled."""
    return is_disabled(host) and host.exists(STOPPED)


def forget(host: Host) -> None:
    host.remove(RECORD)
    for mark in (THIS_BOOT, STOPPED, SERVING, BACK):
        host.remove(mark)


def is_over(host: Host, disabled: Disabled) -> bool:
    """Whether the node is to come back: it was told so, or it was until this boot."""
    return disabled.returning or (disabled.until == "boot" and not host.exists(THIS_BOOT))


def is_disabled(host: Host) -> bool:
    disabled = load(host)
    return disabled is not None and not disabled.returning
