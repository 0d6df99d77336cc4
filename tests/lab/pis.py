"""Driving the lab from Python: what the demo and the lab tests share."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).resolve().parents[2]
LAB = REPOSITORY / "tests" / "lab" / "lab"
KIT = "/srv/kubepi-kit"
FILE = "/root/kubepi.pyz"
WEB_PORT = 30080
# A shell command that prints what a reset should have ended or removed; nothing, if it did.
LEFT_OF_KUBERNETES = (
    "{ ps -eo args | grep -E '^[^ ]*(containerd|kubelet|kube-|etcd|flanneld|kubepi)'; "
    "grep -E 'kubelet/|containerd/io' /proc/mounts; "
    "ip -br link | grep -E 'cni0|flannel|veth'; "
    "iptables-save | grep -E 'KUBE|FLANNEL|CNI'; "
    "systemctl list-unit-files --no-legend | grep -E 'kubelet|containerd|kubepi-'; "
    "ls -d /var/lib/kubepi /etc/kubernetes /opt/cni /etc/cni /usr/local/bin/kubepi "
    "2>/dev/null; } || true"
)

Done = subprocess.CompletedProcess[str]


T = TypeVar("T")


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 180) -> T:
    """The first answer that is not None; a TimeoutError names what never came."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


@dataclass
class Pis:
    """The virtual Pis of this clone."""

    addresses: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def lab(self, *words: str, check: bool = True) -> Done:
        """Run `lab`; with check, its failure is a RuntimeError with what it said."""
        done = subprocess.run(
            [sys.executable, str(LAB), *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"lab {' '.join(words)}: {done.stderr or done.stdout}")
        return done

    def up(self, count: int, *options: str) -> None:
        """Fresh nodes."""
        self.lab("up", str(count), *options)
        self.refresh()

    def refresh(self) -> None:
        """Names and addresses of what is up."""
        rows = json.loads(self.lab("list", "--json").stdout)["nodes"]
        self.addresses = {row["name"]: row["address"] for row in rows}
        self.folders = {row["name"]: Path(row["folder"]) for row in rows}

    def down(self) -> None:
        self.lab("down")

    def command(self, node: str, *argv: str) -> list[str]:
        return [sys.executable, str(LAB), "exec", node, "--", *argv]

    def run(self, node: str, *argv: str, stdin: str = "", timeout: float = 900) -> Done:
        """A program in a node, whatever its exit code."""
        return subprocess.run(
            self.command(node, *argv),
            input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
            check=False,
        )  # fmt: skip

    def ask(self, node: str, *argv: str) -> str:
        """What a program in a node prints; it must succeed."""
        done = self.run(node, *argv)
        if done.returncode:
            raise RuntimeError(f"{node}: {' '.join(argv)}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, node: str, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(node, *argv),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip

    def kubepi(self, node: str, *words: str) -> Done:
        """kubepi as a user types it the first time: from the file that was copied there."""
        return self.run(node, "python3", "-I", FILE, *words)

    def push(self, file: Path, target: str = FILE) -> None:
        for node in self.addresses:
            self.lab("push", node, str(file), target)

    def write(self, node: str, path: str, text: str) -> None:
        self.run(node, "sh", "-c", f"umask 077; cat > {path}", stdin=text)

    def token(self, master: str = "pi1") -> str:
        return self.ask(master, "kubepi", "token", "show").strip()

    def nodes_ready(self, master: str = "pi1") -> set[str]:
        """Names of the Ready nodes as the API sees them; nothing while it does not answer."""
        done = self.run(master, "kubectl", "get", "nodes", "-o", "json")
        if done.returncode:
            return set()
        return {
            item["metadata"]["name"]
            for item in json.loads(done.stdout)["items"]
            for condition in item["status"]["conditions"]
            if condition["type"] == "Ready" and condition["status"] == "True"
        }

    def wait_ready(self, wanted: Sequence[str], seconds: float = 240) -> None:
        names = set(wanted)
        wait_for(
            f"{', '.join(sorted(names))} to be Ready",
            lambda: True if self.nodes_ready() == names else None,
            seconds,
        )

    # --- the web application --------------------------------------------------------------

    def apply_web(self, master: str = "pi1") -> None:
        manifest = (REPOSITORY / "tests" / "lab" / "web.yaml").read_text()
        done = self.run(master, "kubectl", "apply", "-f", "-", stdin=manifest)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def fetched(self, node: str) -> str:
        """One answer of the web application by way of a node; raises OSError where none comes."""
        with urllib.request.urlopen(f"http://{self.addresses[node]}:{WEB_PORT}/", timeout=2) as it:
            return str(it.read().decode().strip())

    def fetch(self, node: str) -> str | None:
        """The same; None where none comes."""
        try:
            return self.fetched(node)
        except (urllib.error.URLError, OSError):
            return None

    def web_answers(self, node: str, of: Sequence[str] = (), seconds: float = 120) -> set[str]:
        """The pods' answers, asked for by way of one node until each node's was heard."""
        wanted = {f"hello from {name}" for name in of or self.addresses}
        seen: set[str] = set()

        def all_seen() -> bool | None:
            answer = self.fetch(node)
            if answer is not None:
                seen.add(answer)
            return True if seen == wanted else None

        wait_for(f"answers of all pods by way of {node} (seen: {sorted(seen)})", all_seen, seconds)
        return seen
