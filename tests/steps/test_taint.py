"""kubepi/steps/taint.py: kubeadm's taint of a master, taken off and put on again."""

import json
from pathlib import Path

import pytest

from kubepi.decide.placing import MASTER
from kubepi.errors import NotYet
from kubepi.machine.step import Finding
from kubepi.steps.taint import MasterTaint
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.programs import write_durably
from tests.scene import master
from tests.steps.lawful import obeys

KEEP_OFF = {"key": MASTER, "effect": "NoSchedule"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


def with_nodes(folder: Path, has_taint: bool, *workers: str) -> FakePi:
    pi = master(folder)
    taints = [UNREACHABLE, *([KEEP_OFF] if has_taint else [])]
    nodes = {
        name: {"kind": "Node", "metadata": {"name": name, "labels": labels},
               "spec": {"taints": taints}}
        for name, labels in (("pi7", {MASTER: ""}), *((name, {}) for name in workers))
    }  # fmt: skip
    objects = {f"Node//{name}": node for name, node in nodes.items()}
    pi.path(OBJECTS).parent.mkdir(parents=True, exist_ok=True)
    write_durably(pi, OBJECTS, json.dumps(objects))
    return pi


def taints(pi: FakePi) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(pi.read(OBJECTS) or "")["Node//pi7"]["spec"]["taints"]
    return found


@pytest.mark.parametrize(
    ("choice", "has_taint", "workers"),
    [("auto", False, ("pi8",)), ("auto", True, ()), ("yes", True, ("pi8",)), ("no", False, ())],
)
def test_the_laws(
    choice: str, has_taint: bool, workers: tuple[str, ...], tmp_path: Path
) -> None:
    step = MasterTaint(choice)
    pi = obeys(step, lambda folder: with_nodes(folder, has_taint, *workers), tmp_path)
    assert taints(pi) == [UNREACHABLE, *([] if has_taint else [KEEP_OFF])]


def test_the_first_worker_comes_and_the_last_one_goes(tmp_path: Path) -> None:
    step = MasterTaint("auto")
    assert step.check(with_nodes(tmp_path / "alone", False)) is None
    assert step.check(with_nodes(tmp_path / "first", False, "pi8")) == Finding("may come still")
    assert step.check(with_nodes(tmp_path / "kept", True, "pi8")) is None
    assert step.check(with_nodes(tmp_path / "last", True)) == Finding("are kept off")


def test_it_needs_the_api_and_its_own_node(tmp_path: Path) -> None:
    pi = master(tmp_path / "new")
    with pytest.raises(NotYet, match="the Node pi7"):
        MasterTaint("auto").check(pi)
    pi.running.clear()
    with pytest.raises(NotYet, match="the Kubernetes API"):
        MasterTaint("auto").check(pi)
