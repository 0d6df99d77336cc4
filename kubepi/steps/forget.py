"""A node that is gone for good leaves the cluster's own lists: etcd's members, and the Nodes.

May touch: etcd's list of members, Node objects. Tests: tests/steps/test_forget.py, tests/lab.
"""

from dataclasses import dataclass

from kubepi.cluster import etcd, kubectl
from kubepi.errors import NotYet
from kubepi.machine.host import Host
from kubepi.machine.step import Finding


@dataclass(frozen=True)
class NodeForgotten:
    """Done by a master; what ran there is started elsewhere."""

    node: str

    @property
    def name(self) -> str:
        return f"no node {self.node}"

    def check(self, host: Host) -> Finding | None:
        if not host.exists(kubectl.ADMIN):
            raise NotYet("a master, who alone may do that")
        if any(member.name == self.node for member in etcd.members(host)):
            return Finding("is a member of etcd")
        if kubectl.get_node(host, self.node) is not None:
            return Finding("its Node is there")
        return None

    def apply(self, host: Host) -> None:
        # first: as long as it counts as a member, one more failure may be one too many
        etcd.forget_node(host, self.node)
        kubectl.tell(host, "delete", "node", self.node, "--ignore-not-found", "--wait=false")
