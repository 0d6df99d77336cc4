"""kubepi/cluster/workloads.py: what is missing of pods, and why one does not come up."""

from typing import Any

import pytest

from kubepi.cluster.workloads import missing_pods, stuck_because


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"running": {}}}]}, ""),
        ({"initContainerStatuses": [{
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 3}}}]},
         "CrashLoopBackOff (it ended with code 3)"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                          "message": "pod has unbound immediate PersistentVolumeClaims"}]},
         "Unschedulable: pod has unbound immediate PersistentVolumeClaims"),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, ""),
    ],
)  # fmt: skip
def test_why_a_pod_does_not_come_up(status: dict[str, Any], why: str) -> None:
    assert stuck_because({"status": status}) == why


@pytest.mark.parametrize(
    ("kind", "spec", "status", "missing"),
    [
        ("Deployment", {}, {"availableReplicas": 1, "updatedReplicas": 1}, None),
        ("Deployment", {"replicas": 0}, {}, None),
        ("Deployment", {"replicas": 2}, {"availableReplicas": 2, "updatedReplicas": 1},
         "1 of 2 replicas are available"),
        ("StatefulSet", {"replicas": 1}, {}, "0 of 1 replicas are available"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberAvailable": 2,
                           "updatedNumberScheduled": 3}, "2 of 3 pods are available"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 0}, None),
        ("Deployment", {"replicas": 0}, {"observedGeneration": 1}, "it has not been looked at yet"),
    ],
)  # fmt: skip
def test_pods_that_are_missing(
    kind: str, spec: dict[str, Any], status: dict[str, Any], missing: str | None
) -> None:
    generation = 2 if "observedGeneration" in status else 0
    meta = {"generation": generation}
    assert missing_pods({"kind": kind, "metadata": meta, "spec": spec, "status": status}) == missing
