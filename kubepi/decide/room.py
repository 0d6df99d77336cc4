"""How much of a disk stays free: from where on kubelet removes images, and evicts pods; pure.

Upstream's shares of a disk are too little of a 16 GB card, and 38 GB of a 256 GB disk.
Tests: tests/unit/test_room.py.
"""

import json
from collections.abc import Mapping
from math import ceil
from typing import Any

GB = 10**9
MIB = 2**20
HIGH, LOW = "imageGCHighThresholdPercent", "imageGCLowThresholdPercent"
EVICTION = "evictionHard"


def kept_free(size: int) -> int:
    """Bytes: a fifth of a small card, and not more than 10 GB of a large one."""
    return min(size // 5, 10 * GB)


def evicts_below(size: int) -> int:
    """Bytes: what the system itself and etcd are left."""
    return kept_free(size) // 2


def kubelet_room(images: int, node: int, chosen: Mapping[str, Any]) -> str:
    """A KubeletConfiguration for `--config-dir`: sizes of containerd's disk and of kubelet's.

    Unused images go when less than `kept_free` is left, until it is half as much again. Nothing
    is said of what the user chose: this file would come after the one that has it.
    """
    kept = kept_free(images)
    high = min(100 - ceil(100 * kept / images), 99)
    low = min(100 - ceil(150 * kept / images), high - 1)
    document: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
    }
    # kubelet refuses a high threshold that is below the low one
    if chosen.keys().isdisjoint((HIGH, LOW)):
        document |= {HIGH: high, LOW: low}
    if EVICTION not in chosen:
        # a signal that is not named here would have no threshold at all
        document[EVICTION] = {
            "memory.available": "100Mi",
            "imagefs.available": f"{evicts_below(images) // MIB}Mi",
            "imagefs.inodesFree": "5%",
            "nodefs.available": f"{evicts_below(node) // MIB}Mi",
            "nodefs.inodesFree": "5%",
        }
    return json.dumps(document, indent=1) + "\n"
