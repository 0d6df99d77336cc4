"""steps/forget.py: a dead node leaves etcd's members and the Nodes, cut at every effect."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.cluster import kubectl
from kubepi.errors import NotYet
from kubepi.steps.forget import NodeForgotten
from tests.address_programs import MEMBERS, moved_master
from tests.fakes import Answer, FakePi
from tests.programs import Effects, write_durably
from tests.steps.lawful import obeys

NODES = "/var/lib/etcd/nodes.json"


def with_dead_master(folder: Path) -> FakePi:
    """pi8 was a master, pi9 a worker; the API says which of its Nodes are Ready."""
    pi = moved_master(folder)
    pi.put(NODES, json.dumps({"pi7": True, "pi8": False, "pi9": False}))
    pi.looks("kubectl", script=_kubectl)
    return pi


def nodes_of(pi: FakePi) -> dict[str, bool]:
    found: dict[str, bool] = json.loads(pi.read(NODES) or "")
    return found


def _kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer | Effects:
    words, nodes = list(argv[6:]), nodes_of(pi)
    if words[:2] == ["delete", "node"]:
        return _delete(pi, {node: nodes[node] for node in nodes if node != words[2]})
    shown = {node: _node(node, is_ready) for node, is_ready in nodes.items()}
    if words[:2] == ["get", "nodes"]:
        return 0, json.dumps({"items": list(shown.values())})
    assert words[:2] == ["get", "node"]
    found = shown.get(words[2])
    return (1, f'nodes "{words[2]}" NotFound') if found is None else (0, json.dumps(found))


def _node(name: str, is_ready: bool) -> dict[str, object]:
    ready = {"type": "Ready", "status": "True" if is_ready else "Unknown"}
    return {"metadata": {"name": name}, "status": {"conditions": [ready]}}


def _delete(pi: FakePi, left: dict[str, bool]) -> Effects:
    yield
    write_durably(pi, NODES, json.dumps(left))
    return 0, ""


@pytest.mark.parametrize(("node", "members"), [("pi8", ["pi7"]), ("pi9", ["pi7", "pi8"])])
def test_a_node_is_gone_everywhere(tmp_path: Path, node: str, members: list[str]) -> None:
    pi = obeys(NodeForgotten(node), with_dead_master, tmp_path)
    assert [row[1] for row in json.loads(pi.read(MEMBERS) or "")] == members
    assert node not in nodes_of(pi)


def test_of_the_others_nothing_is_asked(tmp_path: Path) -> None:
    pi = with_dead_master(tmp_path / "pi")
    pi.remove(kubectl.ADMIN)
    with pytest.raises(NotYet, match="master"):
        NodeForgotten("pi8").check(pi)
