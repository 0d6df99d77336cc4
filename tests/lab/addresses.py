"""Nodes with new addresses, and what has to follow until all is as it was before."""

import json
import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address

from pis import Pis, wait_for

NOTED = "/var/lib/kubepi/addresses"
FIRST_FREE = 101  # behind the addresses that the lab gives
HEALED_WITHIN = 420.0  # seconds; only a limit for what will never come
LOG = "/var/log/kubepi.log"
# Whether a server's certificate is good for an address, as a client that knows it would see it.
TLS = (
    "import socket, ssl, sys; c = ssl.create_default_context(cafile=sys.argv[1]); "
    "c.wrap_socket(socket.create_connection((sys.argv[2], int(sys.argv[3]))), "
    "server_hostname=sys.argv[2])"
)


class Leases:
    """A DHCP server that has another address each time."""

    def __init__(self, pis: Pis) -> None:
        self.pis = pis
        self.given = 0

    def renew(self, node: str) -> str:
        """Another address for a node, on its running interface; the one that it had."""
        before = self.pis.addresses[node]
        network = str(IPv4Address(before)).rpartition(".")[0]
        self.pis.lab("address", node, f"{network}.{FIRST_FREE + self.given}")
        self.given += 1
        self.pis.refresh()
        return before


def nodes_of(pis: Pis, master: str = "pi1") -> dict[str, tuple[bool, str, str]]:
    """Of each Node: Ready, its address, and that of flannel; nothing while no API answers."""
    done = pis.run(master, "kubectl", "--request-timeout=5s", "get", "nodes", "-o", "json")
    found = {}
    for item in json.loads(done.stdout)["items"] if done.returncode == 0 else ():
        ready = any(c["type"] == "Ready" and c["status"] == "True"
                    for c in item["status"]["conditions"])  # fmt: skip
        address = next(a["address"] for a in item["status"]["addresses"]
                       if a["type"] == "InternalIP")  # fmt: skip
        flannel = item["metadata"]["annotations"].get("flannel.alpha.coreos.com/public-ip", "")
        found[item["metadata"]["name"]] = (ready, address, flannel)
    return found


def wait_healed(pis: Pis, nodes: Sequence[str], since: float) -> Mapping[str, float]:
    """Seconds after `since` until each sign of it was seen."""
    seen: dict[str, float] = {}
    told = {node: pis.addresses[node] for node in nodes}

    def done(what: str) -> None:
        seen[what] = time.monotonic() - since

    def ready() -> bool | None:
        found = nodes_of(pis)
        wanted = {node: (True, address, address) for node, address in told.items()}
        return True if {node: found.get(node) for node in nodes} == wanted else None

    def noted() -> bool | None:
        wanted = {node: f"{address} {told['pi1']}" for node, address in told.items()}
        found = {node: pis.run(node, "cat", NOTED).stdout.strip() for node in nodes}
        return True if found == wanted else None

    try:
        wait_for("all Ready at their addresses", ready, HEALED_WITHIN)
        done("Ready")
        for node in nodes:
            pis.web_answers(node, of=nodes, seconds=HEALED_WITHIN)
        done("web answers")
        wait_for("all agents content", noted, HEALED_WITHIN)
        done("agents content")
    except TimeoutError as error:
        logs = "\n".join(f"{n}:\n{pis.run(n, 'tail', '-n', '60', LOG).stdout}" for n in nodes)
        raise AssertionError(f"{error}\n{nodes_of(pis)}\nof {told}, seen {seen}\n{logs}") from error
    return seen


def left_of(pis: Pis, node: str, address: str) -> str:
    """Files that name an address still: of Kubernetes, of kubepi, and the hosts file."""
    quoted = address.replace(".", "[.]")
    words = f"grep -rlE '(^|[^0-9.]){quoted}($|[^0-9.])'"
    places = "/etc/kubernetes /etc/hosts /var/lib/kubelet/*.env /var/lib/kubepi"
    return pis.run(node, "sh", "-c", f"{words} {places} 2>/dev/null").stdout
