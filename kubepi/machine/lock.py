"""One kubepi changes a Pi at a time; a person waits for what systemd started, and not for a person.

What the agent and a command change beside each other has a small lock of its own: `in_turn`.
May touch: locks in /run/kubepi. Tests: tests/unit/test_lock.py.
"""

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kubepi.errors import LockHeld
from kubepi.machine.host import Host
from kubepi.machine.state import RUN

LOCK = f"{RUN}/lock"
LONGEST = 3600.0  # seconds that a plan may take which is waited for


@contextmanager
def in_turn(host: Host, what: str) -> Iterator[None]:
    """The agent and a command change `what` at the same time: one after the other, in a moment."""
    with _opened(host, f"{RUN}/{what}.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(host: Host, name: str) -> Iterator[int]:
    """A lock goes with its descriptor."""
    host.mkdir(RUN)
    descriptor = os.open(host.path(name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def locked(host: Host, verb: str, waits: bool = True) -> Iterator[None]:
    """One kubepi changes a Pi at a time.

    What a person types waits for what systemd started (`resume` after a boot, the agent, a
    backup), unless it `waits` in another way; what systemd starts steps aside.

    Raises:
        LockHeld: with the verb and process id of the other.
    """
    with _opened(host, LOCK) as descriptor:
        holder = _holder_if_held(descriptor)
        if holder is not None:
            if not waits or _unit_of(host, "self") or not _unit_of(host, _process(holder)):
                raise _held_by(holder)
            print(f"This Pi goes on with {holder} by itself; waiting for it …", file=sys.stderr)
            host.wait_until("it", lambda: _still_held(host, descriptor), LONGEST)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{verb} (process {os.getpid()})".encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)


def _holder_if_held(descriptor: int) -> str | None:
    """What the other one wrote into the lock; None if it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 100, 0).decode(errors="replace") or "another command"
    return None


def _still_held(host: Host, descriptor: int) -> str | None:
    holder = _holder_if_held(descriptor)
    if holder is not None and not _unit_of(host, _process(holder)):
        raise _held_by(holder)  # a person was faster
    return holder


def _held_by(holder: str) -> LockHeld:
    return LockHeld(
        f"kubepi {holder} is changing this Pi at the moment",
        "wait until it has ended; kubepi status shows how far it is",
    )


def _process(holder: str) -> str:
    return "".join(re.findall(r"\(process (\d+)\)", holder)) or "0"


def _unit_of(host: Host, process: str) -> str:
    """kubepi's own unit that a process belongs to (cgroups(7)); "" of what a person typed."""
    found = re.search(r"/(kubepi-[\w-]+\.service)", host.read(f"/proc/{process}/cgroup") or "")
    return "" if found is None else found[1]
