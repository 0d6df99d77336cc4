"""Another kubepi on this node, at the wish of a node that has it: fetched, checked, and installed.

The new file installs itself, in a unit of its own: the agent is started anew on the way.
May touch: /var/lib/kubepi/kubepi-new.pyz. Tests: tests/unit/test_replacing.py,
tests/lab/test_upgrade.py.
"""

from kubepi.errors import KubepiError
from kubepi.lan.depot import fetch, own_key
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.pyz import read_pyz

NEW = f"{state.STATE}/kubepi-new.pyz"
UNIT = "kubepi-self"
# who asked has compared the ages
SCRIPT = 'python3 -I "$1" upgrade --self "$1" --here --force; code=$?; rm -f "$1"; exit $code'


def take(host: Host, address: str, digest: str) -> None:
    """
    Raises:
        KubepiError: it cannot be fetched, or is another than was wished for; nothing was changed.
    """
    host.mkdir(state.STATE, 0o700)
    fetch(host, own_key(host), address, "kubepi.pyz", NEW, 0o700)
    found = read_pyz(host.path(NEW))
    if not digest or not found.sha256.startswith(digest):
        host.remove(NEW)
        raise KubepiError(f"{address} has another kubepi meanwhile ({found.sha256[:12]})", "")
    host.log.tell(f"agent: takes kubepi {found.version} ({found.sha256[:12]}) from {address}")
    host.run(
        ["systemd-run", f"--unit={UNIT}", "--collect", "/bin/sh", "-c", SCRIPT, "sh",
         str(host.path(NEW))]
    )  # fmt: skip
