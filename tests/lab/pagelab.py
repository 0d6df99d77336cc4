"""The application of page.yaml in the lab: where its pods are, and how many requests fail."""

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from pis import REPOSITORY, Pis, wait_for

PORT = 30091
EVERY, PATIENCE = 0.2, 1.0  # seconds between two requests, and until one has failed


def apply_page(pis: Pis, on: set[str], master: str = "pi1") -> None:
    """Both pods are Ready, on these nodes; what is left of an earlier test is placed anew."""
    pis.run(master, "kubectl", "delete", "deployment", "page", "-n", "page", "--ignore-not-found")
    manifest = (REPOSITORY / "tests" / "lab" / "page.yaml").read_text()
    done = pis.run(master, "kubectl", "apply", "-f", "-", stdin=manifest)
    assert done.returncode == 0, done.stderr
    wait_for(f"the page on {on}", lambda: True if set(places(pis, master)) == on else None)


def pods(pis: Pis, master: str = "pi1") -> list[dict[str, Any]]:
    """All of the cluster; none while the API does not answer."""
    done = pis.run(master, "kubectl", "get", "pods", "--all-namespaces", "-o", "json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return found


def places(pis: Pis, master: str = "pi1") -> list[str]:
    """The node of each of the page's pods that is Ready and not on its way out."""
    return [
        pod["spec"]["nodeName"]
        for pod in pods(pis, master)
        if pod["metadata"].get("labels", {}).get("app") == "page"
        and "deletionTimestamp" not in pod["metadata"]
        and any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in pod["status"].get("conditions", [])
        )
    ]


def not_well(pis: Pis, master: str = "pi1") -> list[str] | None:
    """What is left over or does not run, a line each; None while the API does not answer."""
    found = pods(pis, master)
    if not found:
        return None
    return [
        f"{pod['metadata']['name']} on {pod['spec'].get('nodeName')}: {pod['status']['phase']}"
        for pod in found
        if pod["status"]["phase"] != "Running"
        or "deletionTimestamp" in pod["metadata"]
        or not all(c["ready"] for c in pod["status"].get("containerStatuses", []))
    ]


def processes(pis: Pis, node: str) -> int:
    """How many of the page's web servers run there, whatever the API knows of them."""
    return int(pis.run(node, "pgrep", "-f", "-c", "^httpd -f -p 8091").stdout)


@dataclass
class Requests:
    """Somebody who asks for the page by way of one node, five times a second."""

    address: str
    sent: int = 0
    failed: list[float] = field(default_factory=list)  # seconds after the start

    def __enter__(self) -> "Requests":
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _ask(self) -> None:
        start = time.monotonic()
        while not self._end.wait(EVERY):
            asked = time.monotonic() - start
            self.sent += 1
            try:
                with urllib.request.urlopen(f"http://{self.address}:{PORT}/", timeout=PATIENCE):
                    pass
            except (urllib.error.URLError, OSError):
                self.failed.append(asked)

    def __str__(self) -> str:
        last = f", the last one {self.failed[-1]:.1f} s on" if self.failed else ""
        return f"{len(self.failed)} of {self.sent} requests failed{last}"
