"""A copy of a master's newest backup on this node, at the master's wish.

May touch: /var/lib/kubepi-backups/of-others. Tests: tests/unit/test_things.py, tests/lab.
"""

from kubepi.errors import KubepiError
from kubepi.lan.depot import backups_of, fetch, own_key
from kubepi.machine import state
from kubepi.machine.archive import verify
from kubepi.machine.backups import COPIES, copies_folder, names_in
from kubepi.machine.host import Host
from kubepi.steps.backups import BackupsPruned


def keep_newest(host: Host, address: str) -> None:
    """
    Raises:
        KubepiError: it cannot be fetched, or is not whole; then nothing of it stays.
    """
    key = own_key(host)
    there = backups_of(host, key, address)
    if not there or max(there) in names_in(host, COPIES):
        return
    name = max(there)
    fetch(host, key, address, f"backup/{name}", f"{copies_folder(host)}/{name}")
    try:
        verify(host.path(f"{COPIES}/{name}"))
    except KubepiError:
        host.remove(f"{COPIES}/{name}")
        raise
    goal = state.load_goal(host)
    keep = 7 if goal is None else int(goal.settings["backup.keep"])
    BackupsPruned(COPIES, keep).apply(host)
    host.log.tell(f"agent: keeps {name} of {address}")
