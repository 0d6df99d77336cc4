"""A master with certificates of some age, and the API that needs them to last."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from kubepi.machine import certificates, state
from kubepi.steps.static_pods import MANIFESTS, STATIC_PODS
from tests.certs import BEGINS
from tests.fakes import Answer, FakePi
from tests.scene import master

READY = {"type": "Ready", "status": "True"}
UNIT = "/usr/lib/systemd/system/kubelet.service"


class Api:
    """Answers while kubelet runs and the certificates last; a pod is what its manifest says."""

    def __init__(self, pi: FakePi) -> None:
        self.pods_asked: list[str] = []
        pi.looks("kubectl", script=self.answer)

    def answer(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        dates = certificates.control_plane(pi).values()
        lasting = all(one is not None and not one.has_ended(pi.now()) for one in dates)
        if "kubelet.service" not in pi.running or not lasting:
            return 1, "x509: certificate has expired or is not yet valid"
        if "/readyz" in argv:
            return 0, "ok"
        if "node" in argv:
            return 0, json.dumps({"status": {"conditions": [READY]}})
        if "pod" not in argv:
            return 1, "the server could not find the requested resource"
        pod = argv[argv.index("pod") + 1].removesuffix("-pi7")
        self.pods_asked.append(pod)
        manifest = yaml.safe_load(pi.read(f"{MANIFESTS}/{pod}.yaml") or "")
        return 0, json.dumps({"metadata": manifest["metadata"], "status": {"conditions": [READY]}})


def aged(age: float) -> Callable[[Path], FakePi]:
    """A master whose certificates, of a year each, are so old."""

    def make(folder: Path) -> FakePi:
        pi = master(folder)
        pi.put(UNIT, "")
        pi.put(state.PINNED_VERSION, "v1.36.3\n")
        for pod in STATIC_PODS:
            pi.put(f"{MANIFESTS}/{pod}.yaml", f"metadata: {{name: {pod}}}\n", 0o600)
        pi.clock.seconds = BEGINS + age
        Api(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make
