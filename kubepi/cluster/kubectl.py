"""kubectl as this node may use it: as the master's admin, or with the kubelet's own rights."""

import json
import re
from datetime import datetime
from typing import Any

from kubepi.errors import NotYet
from kubepi.machine.host import Host, Result
from kubepi.machine.state import RUN

ADMIN = "/etc/kubernetes/admin.conf"
# kubeadm's own: it works before the rights of admin.conf are made, in the middle of an init
SUPER_ADMIN = "/etc/kubernetes/super-admin.conf"
KUBELET = "/etc/kubernetes/kubelet.conf"
# seen while a slow machine starts its control plane; apimachinery's api/errors
PASSING = re.compile(
    r"Timeout exceeded|context deadline exceeded|etcdserver: |TLS handshake timeout|unexpected EOF"
    r"|connection (refused|reset)|InternalError|ServiceUnavailable|TooManyRequests|ServerTimeout"
    r"|the server (is currently unable|was unable to return)|http2: client connection lost"
)
# one of the checks that /readyz lists (apiserver's pkg/server/healthz)
CHECK = re.compile(r"\[-\]([\w./-]+) failed")


def kubeconfig(host: Host) -> str:
    """The strongest credentials this node has.

    Raises:
        NotYet: it is in no cluster.
    """
    for name in (ADMIN, KUBELET):
        if host.exists(name):
            return name
    raise NotYet(f"{ADMIN} or {KUBELET}")


def command(host: Host, *words: str, timeout: int = 10, config: str = "") -> list[str]:
    config = str(host.path(config or kubeconfig(host)))
    # its cache of what the API offers, in memory: no writes to the card, nothing left in /root
    cache = str(host.path(f"{RUN}/kubectl"))
    options = ["--kubeconfig", config, "--cache-dir", cache, f"--request-timeout={timeout}s"]
    return ["kubectl", *options, *words]


def ask(
    host: Host, *words: str, stdin: str | None = None, timeout: int = 10, config: str = ""
) -> Result:
    """Look through the API; a failure is an answer."""
    argv = command(host, *words, timeout=timeout, config=config)
    return host.probe(argv, stdin=stdin, timeout=timeout + 20)


def ask_items(host: Host, *words: str) -> list[dict[str, Any]]:
    """The items of a list: `get` with these words.

    Raises:
        NotYet: the API does not answer, or not to this node.
    """
    result = ask(host, "get", *words, "-o", "json", timeout=30)
    if "Forbidden" in result.stderr:
        raise NotYet("a master, who alone may ask for that; the API here")
    if not result.ok:
        raise NotYet("the Kubernetes API")
    found: list[dict[str, Any]] = json.loads(result.stdout)["items"]
    return found


def tell(host: Host, *words: str, stdin: str | None = None, timeout: int = 60) -> Result:
    """Change something through the API."""
    return host.run(command(host, *words, timeout=timeout), stdin=stdin, timeout=timeout + 20)


def is_passing(said: str) -> bool:
    """Whether a request failed because the API server or etcd is too busy, or just starting."""
    return PASSING.search(said) is not None


def is_ready(host: Host, config: str = "", server: str = "") -> str | None:
    """None if the API answers `ok`; else what is in the way, in a few words."""
    at = [f"--server={server}"] if server else []
    result = ask(host, *at, "get", "--raw", "/readyz", timeout=5, config=config)
    if result.ok and result.stdout.strip() == "ok":
        return None
    said = result.stderr or result.stdout
    if failing := CHECK.findall(said):
        return f"it answers, but these of its checks fail: {', '.join(failing)}"
    last = said.strip().splitlines()
    return last[-1][:160] if last else "no answer"


def is_own_ready(host: Host) -> str | None:
    """As `is_ready`, of the API server on this master, whoever the API's name leads to."""
    return is_ready(host, server="https://127.0.0.1:6443")


def get_node(host: Host, node: str) -> dict[str, Any] | None:
    """The Node object; None if the API says there is none.

    Raises:
        NotYet: the API does not answer.
    """
    result = ask(host, "get", "node", node, "-o", "json")
    if result.ok:
        found: dict[str, Any] = json.loads(result.stdout)
        return found
    if "NotFound" in result.stderr:
        return None
    raise NotYet("the Kubernetes API")


def last_heartbeat(node: dict[str, Any]) -> float:
    """When the kubelet last said that the node is Ready: seconds since 1970, by its own clock."""
    conditions = node.get("status", {}).get("conditions", [])
    said = [c.get("lastHeartbeatTime") for c in conditions if c["type"] == "Ready"]
    return max((datetime.fromisoformat(text).timestamp() for text in said if text), default=0.0)


def is_short_of(node: dict[str, Any]) -> list[str]:
    """What a node says it runs out of: Disk, Memory, PID."""
    conditions = node.get("status", {}).get("conditions", [])
    short = (c["type"] for c in conditions if c["status"] == "True")
    return [kind.removesuffix("Pressure") for kind in short if kind.endswith("Pressure")]


def not_ready_because(node: dict[str, Any] | None) -> str | None:
    """None for a Ready node, else the reason the kubelet gives."""
    if node is None:
        return "the node is not registered"
    conditions = node.get("status", {}).get("conditions", [])
    ready = next((c for c in conditions if c["type"] == "Ready"), None)
    if ready is None:
        return "the kubelet has not reported yet"
    if ready["status"] == "True":
        return None
    # `container runtime network not ready: NetworkReady=false reason:X message:what it is`
    message = str(ready.get("message") or ready.get("reason") or "not ready")
    return message.rpartition("message:")[2].partition(", CSINode")[0][:120]
