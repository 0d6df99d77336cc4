"""Three masters without the first one: who makes the backups, and who steps back after a restore.

`tests/run --long masters`.
"""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from masters import AS_MASTER, JOIN, MASTERS, begin, kubectl, run, voters
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("masters")]
SPARE = "pi5"


@pytest.fixture(scope="module")
def pis(pyz: Path) -> Iterator[Pis]:
    """pi1 to pi3 are masters, pi4 is a worker, pi5 a board that is fresh."""
    pis = Pis()
    try:
        pis.up(5)
        pis.push(pyz)
        begin(pis)
        pis.write("pi4", "/root/token", pis.token())
        run(pis, "pi4", *JOIN)
        pis.wait_ready((*MASTERS, "pi4"))
        yield pis
    finally:
        pis.down()


def test_a_further_master_makes_backups_of_the_first_one(pis: Pis) -> None:
    assert "copies: pi2, pi3, pi4" in pis.ask("pi1", "kubepi", "backup")
    for node in ("pi2", "pi3"):
        assert "was made lately" in pis.ask(node, "kubepi", "backup", "--scheduled")
    kubectl(pis, "pi1", "create", "configmap", "since-the-first-masters-backup")
    pis.lab("cut", "pi1")
    assert "copies: pi3, pi4" in pis.ask("pi2", "kubepi", "backup")
    listed = json.loads(pis.ask("pi2", "kubepi", "backup", "list", "--json"))
    assert [kept["node"] for kept in listed] == ["pi1", "pi1"]


def test_masters_of_before_a_restore_step_back(pis: Pis) -> None:
    """One master is lost and two are off when a new board takes the lost one's place."""
    for node in ("pi2", "pi3"):
        pis.lab("cut", node)
    pis.write(SPARE, "/root/token", pis.ask("pi4", "kubepi", "token", "show"))
    run(pis, SPARE, "restore", "--from", "pi4", "--token-file", "/root/token", "--kit", KIT)
    there = pis.ask(SPARE, "kubectl", "get", "configmaps", "-n", "default", "-o", "name")
    assert "configmap/since-the-first-masters-backup" in there
    start = time.monotonic()
    for node in ("pi2", "pi3"):
        pis.lab("boot", node)

    def stopped(node: str) -> bool | None:
        is_noted = pis.run(node, "test", "-e", "/var/lib/kubepi/replaced").returncode == 0
        runs = pis.run(node, "pgrep", "-x", "kube-apiserver").returncode == 0
        return True if is_noted and not runs else None

    for node in ("pi2", "pi3"):
        wait_for(f"{node} to step back", partial(stopped, node), 180)
    print(f"both stepped back {time.monotonic() - start:.0f} s after the first of them was on")
    wait_for(
        "pi2 and pi3 to be NotReady",
        lambda: True if pis.nodes_ready(SPARE) == {"pi1", "pi4"} else None, 120,
    )  # fmt: skip
    assert pis.ask("pi4", "getent", "hosts", "home.kubepi.internal").split()[0] == (
        pis.addresses[SPARE]
    )
    said = pis.run("pi2", "kubepi", "doctor").stdout
    assert "the cluster was restored and goes on at" in said
    assert pis.run("pi2", "kubepi", "reset", "--yes").returncode == 0
    assert "pi2" not in pis.ask(SPARE, "kubectl", "get", "nodes", "-o", "name")
    run(pis, "pi2", *AS_MASTER)
    both = {"pi1", "pi2"}
    wait_for("two masters", lambda: True if voters(pis, SPARE) == both else None, 300)
    # each hears the other one's settled advert, and neither takes the other for one of before
    spoke = {node: said_last(pis, node) for node in ("pi2", SPARE)}
    for node, before in spoke.items():
        wait_for(f"{node} to speak again", partial(spoke_after, pis, node, before), 180)
    assert voters(pis, SPARE) == both
    assert pis.nodes_ready(SPARE) == {"pi1", "pi2", "pi4"}


def said_last(pis: Pis, node: str) -> int:
    """The number of its last advert."""
    return int(json.loads(pis.ask(node, "cat", "/run/kubepi/own.json"))["sequence"])


def spoke_after(pis: Pis, node: str, number: int) -> bool | None:
    return True if said_last(pis, node) > number + 1 else None
