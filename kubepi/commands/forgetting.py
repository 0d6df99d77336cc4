"""`nodes forget NAME`: a dead node is taken out of the cluster, from any node of it.

It goes by a wish: each agent strikes the node from its lists, and a master's deletes its Node.
Tests: tests/unit/test_forgetting.py, tests/lab/test_address.py.
"""

from kubepi.cluster import kubectl
from kubepi.commands import changing
from kubepi.decide.adverts import decode
from kubepi.decide.wish import FORGET
from kubepi.errors import KubepiError, NoGoal, NotYet, UsageError
from kubepi.lan.direct import ask_once
from kubepi.lan.peers import read_peers
from kubepi.lan.wishing import wish
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.kubeadm import node_name

SECONDS = 60.0  # an agent hears the wish within a second; draining is none of it


def forget(host: Host, name: str, force: bool, dry_run: bool) -> int:
    changing.need_root(host, f"nodes forget {name}", dry_run)
    if state.load_goal(host) is None:
        raise NoGoal("this Pi is in no cluster", "run it on a Pi that is")
    if name == node_name(host):
        raise UsageError(f"{name} is this Pi, and alive", "to take it out: sudo kubepi reset")
    known = sorted({*_addresses(host), *_nodes(host)})
    if name not in known:
        others = ", ".join(known) or "no other"
        raise UsageError(f"no node {name} is known; there is {others}", "kubepi nodes lists them")
    if not force and (why := _alive_because(host, name)):
        raise UsageError(
            f"{name} is alive: {why}",
            f"to take it out in good order run on it: sudo kubepi reset; "
            f"where that cannot be: sudo kubepi nodes forget {name} --force",
        )
    if dry_run:
        print(f"{name} would be forgotten: its Node, its place in etcd, its name on every node")
        return 0
    _wish(host, name)
    print(f"{name} is forgotten. Should it be switched on again, it is a node again;")
    print("kubepi reset on it makes it an empty Pi, and so does a fresh card.")
    return 0


def _wish(host: Host, name: str) -> None:
    """It stays in the advert until the next boot: who is off now hears it later."""
    wish(host, FORGET, [name])
    if host.exists(kubectl.ADMIN):
        from kubepi.steps.forget import NodeForgotten
        from kubepi.steps.parts import make_right

        make_right([NodeForgotten(name)], host)

    def there() -> str | None:
        if name in _addresses(host):
            return "the agent here knows it still"
        try:
            return f"the Node {name} is there" if name in _nodes(host) else None
        except KubepiError as error:
            return error.sentence

    host.wait_until(f"{name} to be forgotten", there, SECONDS)


def _addresses(host: Host) -> dict[str, str]:
    """Of all nodes that the agent here knows, by name."""
    heard = [peer.advert for peer in read_peers(host).values() if peer.trusted]
    known = dict(state.known_nodes(host).values())
    return known | {advert.node: advert.address for advert in heard}


def _nodes(host: Host) -> list[str]:
    try:
        found = kubectl.ask_items(host, "nodes")
    except NotYet as missing:
        raise KubepiError(
            f"no answer from {missing.what}", "kubepi status and kubepi doctor look for the cause"
        ) from missing
    return [node["metadata"]["name"] for node in found]


def _alive_because(host: Host, name: str) -> str:
    """What says so; "" where nothing does. Its agent is asked directly, by the address known."""
    address = _addresses(host).get(name)
    answer = ask_once(address) if address else None
    said = None if answer is None else decode(answer)
    if said is not None and said.node == name:
        return f"it answers at {address}"
    try:
        node = kubectl.get_node(host, name)
    except NotYet:
        return ""
    return "its Node is Ready" if node and kubectl.not_ready_because(node) is None else ""
