"""What this node's depot has for others: kubepi itself, and the backups that lie here; looks only.

Tests: tests/unit/test_things.py.
"""

import json
from pathlib import Path
from typing import Any

from kubepi import BUILT, VERSION
from kubepi.machine.host import Host
from kubepi.machine.streams import digest_of
from kubepi.steps.install import FILE


def find_thing(host: Host, name: str) -> Path | bytes | None:
    """A name is looked up in a table, and never a path."""
    if name == "kubepi.pyz":
        return host.path(FILE) if host.exists(FILE) else None
    if name == "kubepi":
        return json.dumps(_about(host)).encode() if host.exists(FILE) else None
    if name == "backups":
        return json.dumps(sorted(_backups(host))).encode()
    kind, _, rest = name.partition("/")
    return _backups(host).get(rest) if kind == "backup" else None


def _about(host: Host) -> dict[str, Any]:
    """Which kubepi runs here, and of what file: once it was replaced, both are the new one's."""
    return {"version": VERSION, "built": BUILT, "sha256": digest_of(host.path(FILE))}


def _backups(host: Host) -> dict[str, Path]:
    from kubepi.machine.backups import BACKUPS, COPIES, names_in  # only when somebody asks

    folders = (COPIES, BACKUPS)
    return {name: host.path(f"{f}/{name}") for f in folders for name in names_in(host, f)}
