"""Ordinary pods on a master, or none: kubeadm's taint is taken off and put on again.

It keeps new pods off and ends none that run. May touch: the taints of this Node.
Tests: tests/steps/test_taint.py, tests/lab/test_failure.py.
"""

from dataclasses import dataclass

from kubepi.cluster import kubectl
from kubepi.decide.placing import MASTER, is_tainted, runs_pods
from kubepi.errors import NotYet
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name

TAINT = f"{MASTER}:NoSchedule"


@dataclass(frozen=True)
class MasterTaint:
    """`choice` is yes, no or auto; what auto means changes as workers join and leave."""

    choice: str

    @property
    def name(self) -> str:
        return f"ordinary pods on this master ({self.choice})"

    def _must_change_to(self, host: Host) -> bool | None:
        """Whether pods are to run here from now on; None if that is so already."""
        own = node_name(host)
        objects = kubectl.ask_items(host, "node,persistentvolume", "-A")
        node = next(
            (o for o in objects if o["kind"] == "Node" and o["metadata"]["name"] == own), None
        )
        if node is None:
            raise NotYet(f"the Node {own}")
        runs = runs_pods(self.choice, own, objects)
        return runs if runs == is_tainted(node) else None

    def check(self, host: Host) -> Finding | None:
        runs = self._must_change_to(host)
        return None if runs is None else Finding("are kept off" if runs else "may come still")

    def apply(self, host: Host) -> None:
        runs = self._must_change_to(host)
        if runs is not None:
            change = f"{TAINT}-" if runs else TAINT
            kubectl.tell(host, "taint", "node", node_name(host), "--overwrite", change)
