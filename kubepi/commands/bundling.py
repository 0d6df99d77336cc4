"""`doctor --bundle FILE`: one archive of what all nodes that answer have to say, without secrets.

Each node collects its own part, and gives it by its depot. May touch: FILE, parts in /run/kubepi.
Tests: tests/unit/test_bundling.py, tests/lab/test_cluster.py.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from kubepi.decide.goal import TOKEN
from kubepi.errors import KubepiError
from kubepi.lan.depot import SUPPORT, SUPPORT_SECONDS, fetch, own_key
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.bundles import read_bundle, write_bundle
from kubepi.machine.facts import look
from kubepi.machine.host import Host

AT_ONCE = 8
Texts = Mapping[str, str]  # name of a file -> what is in it


def bundle(host: Host, own_part: Texts, file: str) -> None:
    """`own_part`: this node's texts; nodes that do not answer are named in the archive instead.

    Raises:
        KubepiError: it cannot be written.
    """
    others = _others(host)
    parts, said = {look(host).host_name: own_part}, {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        coming = {node: pool.submit(_fetch, host, node, others[node]) for node in others}
        for node, part in coming.items():
            try:
                parts[node] = part.result()
            except KubepiError as error:
                parts[node] = {"missing.txt": f"{error.sentence}\n"}
                said[node] = f"missing: {error.sentence}"
    for node, texts in sorted(parts.items()):
        print(f"{node}: {said.get(node, f'{len(texts)} files')}")
    write_bundle(host, file, {f"{node}/{name}": parts[node][name]
                              for node in sorted(parts) for name in parts[node]})  # fmt: skip
    print(host.path(file))


def _others(host: Host) -> dict[str, str]:
    """Name -> address of the cluster's other nodes, as far as the agent knows them."""
    if state.read_secret(host, TOKEN) is None:
        return {}
    return {
        peer.advert.node: peer.advert.address
        for peer in read_peers(host).values()
        if peer.trusted and peer.advert.address
    }


def _fetch(host: Host, node: str, address: str) -> Texts:
    name = f"{state.RUN}/support-{node}.tar.gz"
    try:
        fetch(host, own_key(host), address, SUPPORT, name, patience=SUPPORT_SECONDS)
        return read_bundle(host.path(name))
    finally:
        host.remove(name)
