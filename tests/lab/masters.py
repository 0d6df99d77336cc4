"""Clusters of several masters: made, asked for etcd's members, written to, waited for until whole.

May touch: the nodes of this clone's lab.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from pis import KIT, Pis, wait_for

MASTERS = ("pi1", "pi2", "pi3")
JOIN = ("join", "--token-file", "/root/token", "--kit", KIT)
AS_MASTER = (*JOIN, "--role", "master")
ADMIN = "/root/admin.conf"
# by the API's name; each line: seconds, which write, and kubectl's exit code
WRITES = f"""
number=0
while true; do
  number=$((number + 1))
  timeout 5 kubectl --kubeconfig {ADMIN} --request-timeout=3s -n default annotate --overwrite \\
    configmap written number=$number >/dev/null 2>&1; code=$?
  echo "$(date +%s.%N) $number $code"
  sleep 0.5
done
"""
LAST_WRITTEN = ("-n", "default", "get", "configmap", "written", "-o",
                "jsonpath={.metadata.annotations.number}")  # fmt: skip


def run(pis: Pis, node: str, *words: str) -> str:
    done = pis.kubepi(node, *words)
    assert done.returncode == 0, f"{node}: {done.stdout}\n{done.stderr}"
    return f"{done.stdout}\n{done.stderr}"


def kubectl(pis: Pis, node: str, *words: str) -> str:
    return pis.ask(node, "kubectl", "--kubeconfig", ADMIN, *words)


def begin(pis: Pis, *options: str) -> None:
    """pi1 makes a cluster with these options of init, the others join it as masters."""
    run(pis, MASTERS[0], "init", "--kit", KIT, *options)
    for node in MASTERS[1:]:
        pis.write(node, "/root/token", pis.token())
        start = time.monotonic()
        run(pis, node, *AS_MASTER)
        print(f"{node} is a master after {time.monotonic() - start:.0f} s")
    give_admin(pis, MASTERS)
    wait_whole(pis, MASTERS, MASTERS)


def give_admin(pis: Pis, nodes: Sequence[str]) -> None:
    """An own kubeconfig on every node, by the API's name; and what is written to."""
    admin = pis.ask("pi1", "cat", "/etc/kubernetes/admin.conf")
    for node in nodes:
        pis.write(node, ADMIN, admin)
    kubectl(pis, "pi1", "create", "configmap", "written")


def voters(pis: Pis, node: str = "pi1") -> set[str]:
    """The voting members that are alive, as etcd on this node knows them."""
    program = (
        "import sys; sys.path.insert(0, '/usr/local/lib/kubepi/kubepi.pyz')\n"
        "from kubepi.cluster import etcd\nfrom kubepi.machine.host import Host\n"
        "print(*(m.label for m in etcd.asked_members(Host()) if m.alive and not m.is_learner))"
    )
    done = pis.run(node, "python3", "-I", "-c", program)
    return set(done.stdout.split()) if done.returncode == 0 else set()


def wait_whole(
    pis: Pis, masters: Sequence[str], nodes: Sequence[str], seconds: float = 300
) -> None:
    """All nodes Ready, and every master a voting member that answers."""

    def whole() -> bool | None:
        seen = (pis.nodes_ready(masters[0]), voters(pis, masters[0]))
        return True if seen == (set(nodes), set(masters)) else None

    try:
        wait_for(f"{', '.join(masters)} to be masters of {', '.join(nodes)}", whole, seconds)
    except TimeoutError as error:
        seen = f"{pis.nodes_ready(masters[0])} {voters(pis, masters[0])}"
        raise AssertionError(f"{error}; seen: {seen}") from error


@dataclass
class Writes:
    """One write after the other, from a node by the API's name, for as long as the block lasts."""

    pis: Pis
    node: str
    written: list[tuple[float, int]] = field(default_factory=list)  # when, and which
    failed: int = 0

    def __enter__(self) -> "Writes":
        self._process = self.pis.start(self.node, "sh", "-c", WRITES)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        wait_for("a first write", lambda: True if self.written else None, 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.terminate()
        self._thread.join()
        self._process.wait(30)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            when, number, code = line.split()
            if code == "0":
                self.written.append((float(when), int(number)))
            else:
                self.failed += 1
        self._process.stdout.close()

    def last_kept(self) -> int:
        """Which write the cluster has; a later one than the last answered may be there."""
        return int(kubectl(self.pis, self.node, *LAST_WRITTEN))

    def __str__(self) -> str:
        moments = [when for when, _ in self.written]
        longest = max((after - before for before, after in pairwise(moments)), default=0)
        return f"{len(moments)} written, {self.failed} failed, {longest:.1f} s without one at most"
