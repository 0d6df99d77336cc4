"""What a node's orderly shutdown leaves in the list of pods: ended ones that were started anew.

kubelet marks them Failed; a DaemonSet or StatefulSet removes its own, a ReplicaSet never does.
May touch: those pods. Tests: tests/unit/test_tidying.py, tests/lab/test_failure.py.
"""

from dataclasses import dataclass
from typing import Any

from kubepi.cluster import kubectl
from kubepi.errors import KubepiError, NotYet
from kubepi.machine.host import Host

LOOK_AGAIN = 120.0  # seconds
# pkg/kubelet/nodeshutdown: ended by the shutdown; came too late for it
REASONS = ("Terminated", "NodeShutdown")


@dataclass
class Tidying:
    """Called every second or so on a master."""

    host: Host
    look_at: float = 0.0

    def wanted(self) -> bool:
        return self.host.monotonic() > self.look_at

    def do(self) -> None:
        """What fails is tried again at the next look."""
        self.look_at = self.host.monotonic() + LOOK_AGAIN
        try:
            failed = ("pods", "-A", "--field-selector=status.phase=Failed")
            for pod in filter(is_left_over, kubectl.ask_items(self.host, *failed)):
                space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
                words = ("-n", space, "--ignore-not-found", "--wait=false")
                kubectl.tell(self.host, "delete", "pod", name, *words)
                node = pod["spec"].get("nodeName", "a node")
                self.host.log.tell(f"agent: {space}/{name} ended when {node} was shut down: gone")
        except (KubepiError, NotYet) as error:
            self.host.log.line(f"agent: pods are tidied later: {error}")


def is_left_over(pod: dict[str, Any]) -> bool:
    """Another one runs in its place; one that nobody starts again is left for its user to see."""
    owners = pod["metadata"].get("ownerReferences", [])
    has_follower = any(owner["kind"] == "ReplicaSet" for owner in owners)
    return has_follower and pod["status"].get("reason") in REASONS
