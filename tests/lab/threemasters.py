"""A cluster of three masters and a worker in the lab, and what its tests ask of it."""

import time
from collections.abc import Sequence
from pathlib import Path

from pis import KIT, Pis, wait_for

MASTERS = ("pi1", "pi2", "pi3")
NODES = (*MASTERS, "pi4")
JOIN = ("join", "--token-file", "/root/token", "--kit", KIT)
AS_MASTER = (*JOIN, "--role", "master")
ADMIN = "/root/admin.conf"  # an own kubeconfig on every node, by the API's name


def make_masters(pis: Pis, pyz: Path) -> None:
    """pi1 to pi3 become masters, pi4 a worker, of nodes that are up and fresh."""
    pis.push(pyz)
    run(pis, "pi1", "init", "--kit", KIT)
    for node in NODES[1:]:
        pis.write(node, "/root/token", pis.token())
    for node in ("pi2", "pi3"):
        start = time.monotonic()
        said = run(pis, node, *AS_MASTER)
        print(f"{node} is a master after {time.monotonic() - start:.0f} s")
        assert ("two masters are worse than one" in said) == (node == "pi2")
    run(pis, "pi4", *JOIN)
    admin = pis.ask("pi1", "cat", "/etc/kubernetes/admin.conf")
    for node in NODES:
        pis.write(node, ADMIN, admin)
    kubectl(pis, "pi1", "create", "configmap", "written")
    wait_whole(pis)


def run(pis: Pis, node: str, *words: str) -> str:
    done = pis.kubepi(node, *words)
    assert done.returncode == 0, f"{node}: {done.stdout}\n{done.stderr}"
    return f"{done.stdout}\n{done.stderr}"


def kubectl(pis: Pis, node: str, *words: str) -> str:
    return pis.ask(node, "kubectl", "--kubeconfig", ADMIN, *words)


def voters(pis: Pis, node: str = "pi1") -> set[str]:
    """The voting members that are alive, as etcd on this node knows them."""
    program = (
        "import sys; sys.path.insert(0, '/usr/local/lib/kubepi/kubepi.pyz')\n"
        "from kubepi.cluster import etcd\nfrom kubepi.machine.host import Host\n"
        "print(*(m.label for m in etcd.asked_members(Host()) if m.alive and not m.is_learner))"
    )
    done = pis.run(node, "python3", "-I", "-c", program)
    return set(done.stdout.split()) if done.returncode == 0 else set()


def wait_whole(
    pis: Pis, masters: Sequence[str] = MASTERS, nodes: Sequence[str] = NODES, seconds: float = 300
) -> None:
    """All nodes Ready, and every master a voting member that answers."""

    def whole() -> bool | None:
        seen = (pis.nodes_ready(masters[0]), voters(pis, masters[0]))
        return True if seen == (set(nodes), set(masters)) else None

    try:
        wait_for(f"{', '.join(masters)} to be masters of {', '.join(nodes)}", whole, seconds)
    except TimeoutError as error:
        seen = f"{pis.nodes_ready(masters[0])} {voters(pis, masters[0])}"
        raise AssertionError(f"{error}; seen: {seen}") from error
