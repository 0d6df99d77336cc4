"""Whether etcd's data on this master is whole, as far as one sees without opening it; looks only.

Tests: tests/unit/test_etcd_data.py, tests/lab/test_backup.py.
"""

import json

from kubepi.decide import bolt
from kubepi.machine.host import Host

MEMBER = "/var/lib/etcd/member"
DATABASE = f"{MEMBER}/snap/db"
LOGS = "/var/log/pods"
TAIL = 8192  # bytes of a log


def problem(host: Host) -> str | None:
    """Why etcd cannot go on with what it has; None if nothing says so."""
    if not host.listdir(f"{MEMBER}/wal") or not host.exists(DATABASE):
        return "its data is not there"
    path = host.path(DATABASE)
    with path.open("rb") as stream:
        found = bolt.problem(stream.read(bolt.NEEDED), path.stat().st_size)
    return found if found is None else f"its database is damaged: {found}"


def last_words(host: Host) -> str | None:
    """What made the last run of etcd end, if it ended badly."""
    folders = [name for name in host.listdir(LOGS) if name.startswith("kube-system_etcd-")]
    logs = [f"{LOGS}/{f}/etcd/{n}" for f in folders for n in host.listdir(f"{LOGS}/{f}/etcd")]
    if not logs:
        return None
    newest = max(logs, key=lambda name: host.path(name).stat().st_mtime)
    with host.path(newest).open("rb") as stream:
        stream.seek(max(host.path(newest).stat().st_size - TAIL, 0))
        lines = stream.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        # `TIME stderr F WORDS` (kubelet's CRI log format)
        words = line.partition(" F ")[2]
        if words.startswith(("panic: ", "fatal error: ")):
            return words[:160]
        if '"level":"fatal"' in words or '"level":"panic"' in words:
            return _said(words)
    return None


def _said(words: str) -> str:
    try:
        about = json.loads(words)
    except json.JSONDecodeError:
        return words[:160]
    return f"{about.get('msg', '')} {about.get('error', '')}".strip()[:160]
