"""What the tests of a cluster's life look at: an application under load, and its pods."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from pis import REPOSITORY, Pis, wait_for

PORT = 30081


def ask_pair(pis: Pis, node: str) -> str:
    """Why the application does not answer by way of a node; "" if it does."""
    try:
        with urllib.request.urlopen(f"http://{pis.addresses[node]}:{PORT}/", timeout=5) as answer:
            return "" if answer.read() == b"pair\n" else "another answer"
    except (urllib.error.URLError, OSError) as error:
        return str(error)


def ask_web(pis: Pis, node: str) -> str:
    """The same of the application that runs on each node."""
    try:
        pis.fetched(node)
    except OSError as error:
        return str(error)
    return ""


@dataclass
class Load:
    """Requests one after the other by way of a node for as long as the block lasts."""

    pis: Pis
    node: str
    why: Callable[[Pis, str], str] = ask_pair
    answers: int = 0
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ends.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ends.wait(0.05):
            if why := self.why(self.pis, self.node):
                self.failures.append(why)
            else:
                self.answers += 1

    def __str__(self) -> str:
        failed = f"{len(self.failures)} failed {sorted(set(self.failures))}"
        return f"{self.answers} requests answered, {failed if self.failures else '0 failed'}"


def apply_life(pis: Pis) -> None:
    manifest = (REPOSITORY / "tests" / "lab" / "life.yaml").read_text()
    done = pis.run("pi1", "kubectl", "apply", "-f", "-", stdin=manifest)
    assert done.returncode == 0, done.stderr
    for what in ("deployment/pair", "daemonset/counter"):
        pis.ask("pi1", "kubectl", "-n", "life", "rollout", "status", what, "--timeout=180s")


def remove_life(pis: Pis) -> None:
    pis.ask("pi1", "kubectl", "delete", "namespace", "life", "--timeout=120s")


def pods(pis: Pis) -> dict[str, str]:
    """Uid -> name and node of every pod that runs, but the kubelets' own static ones."""
    done = pis.run("pi1", "kubectl", "get", "pods", "-A", "-o", "json")
    items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return {
        item["metadata"]["uid"]: f"{item['metadata']['name']} on {item['spec'].get('nodeName')}"
        for item in items
        if item["status"]["phase"] == "Running"
        and "kubernetes.io/config.mirror" not in item["metadata"].get("annotations", {})
    }


def unbroken(pis: Pis) -> dict[str, int]:
    """Node -> how far its counter has come; each number is there once."""
    done = pis.ask("pi1", "kubectl", "-n", "life", "get", "pods", "-l", "app=counter", "-o", "json")
    found = {}
    for item in json.loads(done)["items"]:
        node, uid = item["spec"]["nodeName"], item["metadata"]["uid"]
        path = f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/data/numbers"
        numbers = [int(line) for line in pis.ask(node, "cat", path).split()]
        assert numbers == list(range(1, len(numbers) + 1)), f"{node}: one is missing or twice"
        found[node] = len(numbers)
    return found


def wait_answers(pis: Pis, node: str) -> None:
    wait_for(
        f"the application by way of {node}", lambda: None if ask_pair(pis, node) else True, 240
    )
