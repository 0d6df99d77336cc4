"""What this node's depot has for others: kubepi, backups, a newer token, its part in a need.

May touch: /run/kubepi/support.tar.gz, which another kubepi writes when somebody asks for it.
Tests: tests/unit/test_things.py.
"""

import json
import threading
from pathlib import Path
from typing import Any

from kubepi import BUILT, VERSION
from kubepi.agent.rotating import THING, Known, offered
from kubepi.errors import KubepiError
from kubepi.lan.depot import SUPPORT, SUPPORT_SECONDS
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.streams import digest_of
from kubepi.steps.install import FILE

OWN_PART = f"{state.RUN}/support.tar.gz"
COLLECTING = threading.Lock()  # the depot asks for things in threads


def find_thing(host: Host, name: str, known: Known) -> Path | bytes | None:
    """A name is looked up in a table, and never a path."""
    if name == THING:
        return offered(host, known)
    if name == "kubepi.pyz":
        return host.path(FILE) if host.exists(FILE) else None
    if name == "kubepi":
        return json.dumps(_about(host)).encode() if host.exists(FILE) else None
    if name == "backups":
        return json.dumps(sorted(_backups(host))).encode()
    if name == SUPPORT:
        return _support(host)
    kind, _, rest = name.partition("/")
    return _backups(host).get(rest) if kind == "backup" else None


def _about(host: Host) -> dict[str, Any]:
    """Which kubepi runs here, and of what file: once it was replaced, both are the new one's."""
    return {"version": VERSION, "built": BUILT, "sha256": digest_of(host.path(FILE))}


def _support(host: Host) -> bytes | None:
    """By a kubepi of its own: what that needs of memory is not the agent's for good."""
    argv = ["/usr/bin/python3", "-I", str(host.path(FILE)), "doctor", "--here", "--bundle"]
    with COLLECTING:
        try:
            host.run([*argv, str(host.path(OWN_PART))], timeout=SUPPORT_SECONDS)
            return host.read_bytes(OWN_PART)
        except KubepiError as error:
            host.log.tell(f"agent: no part for a support archive: {error.sentence}")
            return None
        finally:
            host.remove(OWN_PART)


def _backups(host: Host) -> dict[str, Path]:
    from kubepi.machine.backups import BACKUPS, COPIES, names_in  # only when somebody asks

    folders = (COPIES, BACKUPS)
    return {name: host.path(f"{f}/{name}") for f in folders for name in names_in(host, f)}
