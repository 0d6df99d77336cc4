"""A master with a share, a claim and a pod that uses it; and what its `storage` command is told."""

import argparse
import json
from pathlib import Path
from typing import Any

from kubepi.commands import storage
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Share
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.steps.share import ShareMounted, ShareServed
from tests.fakes import FakePi
from tests.scene import fresh_pi, init_goal

DISK = "/dev/disk/by-id/usb-T7"
SHARE = Share("10.0.0.7", "/srv/kubepi", "/mnt/kubepi")
GOAL = init_goal()
VOLUME = {
    "kind": "PersistentVolume", "metadata": {"name": "pv1"},
    "spec": {"hostPath": {"path": "/mnt/kubepi/default/data"}},
}  # fmt: skip
CLAIM = {
    "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
    "spec": {"storageClassName": "kubepi-nfs", "volumeName": "pv1",
             "resources": {"requests": {"storage": "1Gi"}}},
}  # fmt: skip
POD = {
    "kind": "Pod", "metadata": {"name": "web-1", "namespace": "default",
                                "ownerReferences": [{"kind": "ReplicaSet"}]},
    "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
    "status": {"phase": "Running"},
}  # fmt: skip


def worker(name: str, share: str = str(SHARE)) -> Advert:
    return Advert(node=name, node_id=name, address="10.0.0.8", role="worker", state="ready",
                  share=share)  # fmt: skip


def serving_master(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    pi.put("/etc/kubernetes/admin.conf", "admin", 0o600)
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    ShareServed(GOAL).apply(pi)
    ShareMounted(GOAL).apply(pi)
    hears(pi, worker("pi8"))
    has_objects(pi, VOLUME, CLAIM, POD)
    pi.changes("sh", "-ec", script=lambda pi, argv, stdin: (0, ""))
    pi.looks("du", script=lambda pi, argv, stdin: (0, "5000000\t/srv/kubepi\n"))
    pi.ran.clear()
    return pi


def hears(pi: FakePi, *adverts: Advert) -> None:
    book = {advert.node_id: Peer(advert, True, pi.monotonic()) for advert in adverts}
    pi.put(PEERS, json.dumps(to_json(book)))


def has_objects(pi: FakePi, *items: Any) -> None:
    text = json.dumps({"items": items})
    pi.looks("kubectl", script=lambda pi, argv, stdin: (0, text))


def typed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    storage.add_arguments(parser)
    return parser.parse_args(words)


