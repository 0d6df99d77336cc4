"""Pis that are told only `up`: their kubepi.yaml, their start, and what became of them."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pis import FILE, KIT, Pis, wait_for

from kubepi.decide.credentials import new_token

CONFIG = "/etc/kubepi/kubepi.yaml"
COMMAND = ("python3", "-I", FILE, "up", "--kit", KIT)


def give_config(pis: Pis, nodes: Sequence[str], **cluster: object) -> str:
    """The lab's waivers, and a token that these nodes share; what was there before."""
    before = pis.ask(nodes[0], "cat", CONFIG)
    lines = {"token": new_token(os.urandom(17)), **cluster}
    section = "\n  ".join(f"{name}: {value}" for name, value in lines.items())
    for node in nodes:
        pis.write(node, CONFIG, f"{before.rstrip()}\ncluster:\n  {section}\n")
    return before


@contextmanager
def up_on(pis: Pis, nodes: Sequence[str]) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """`up`, as typed on all of them at the same time; none of it runs on afterwards."""
    running = {node: pis.start(node, *COMMAND) for node in nodes}
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


def up_together(pis: Pis, nodes: Sequence[str], seconds: float = 900) -> dict[str, str]:
    """What `up` printed on each; all must have ended well."""
    with up_on(pis, nodes) as running:
        said = {node: run.communicate(timeout=seconds)[0] for node, run in running.items()}
    failed = [node for node, process in running.items() if process.returncode]
    assert not failed, "\n".join(f"{node}:\n{said[node]}" for node in failed)
    return said


def masters_of(pis: Pis, nodes: Sequence[str]) -> list[str]:
    """Those of the nodes that have a control plane."""
    admin = "/etc/kubernetes/admin.conf"
    return [node for node in nodes if pis.run(node, "test", "-e", admin).returncode == 0]


def wait_one_cluster(pis: Pis, nodes: Sequence[str], seconds: float = 900) -> str:
    """One master, and all of the nodes Ready in its cluster and no others; its name."""

    def whole() -> str | None:
        masters = masters_of(pis, nodes)
        assert len(masters) <= 1, f"masters: {masters}"
        return masters[0] if masters and pis.nodes_ready(masters[0]) == {*nodes} else None

    return wait_for(f"one cluster of {', '.join(nodes)}", whole, seconds)


def on_disk(pis: Pis, node: str, path: str) -> str:
    """A file of a node, seen from the lab machine: without delay, and when the node is off."""
    file = pis.folders[node] / "up" / path.lstrip("/")
    return file.read_text(errors="replace") if file.is_file() else ""
