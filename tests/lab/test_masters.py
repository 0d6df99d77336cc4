"""Three masters: each is killed in turn, taken out, put back, and cut while it becomes one.

`tests/run --long masters`. The seconds are printed: from the cut of a master until no write through
the API's name fails any more, for each of the other nodes. The seed is printed; KUBEPI_SEED
repeats the moments.
"""

import json
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from masters import (
    ADMIN,
    AS_MASTER,
    JOIN,
    MASTERS,
    give_admin,
    kubectl,
    run,
    voters,
    wait_whole,
)
from pis import FILE, KIT, Pis, wait_for
from zero import give_config, masters_of, up_together

pytestmark = [pytest.mark.lab, pytest.mark.long("masters")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
NODES = (*MASTERS, "pi4")
CUTS = 10
JOIN_SECONDS = 45.0
# an own kubeconfig on every node, by the API's name; each line: seconds, and whether it was written
WRITES = f"""
end=$(($(date +%s) + 50)); number=0
while [ $(date +%s) -lt $end ]; do
  number=$((number + 1))
  timeout 5 kubectl --kubeconfig {ADMIN} --request-timeout=3s -n default annotate --overwrite \\
    configmap written "by-$(hostname)=$number" >/dev/null 2>&1; code=$?
  echo "$(date +%s.%N) $code"
  sleep 0.3
done
"""


@pytest.fixture(scope="module")
def pis(pyz: Path) -> Iterator[Pis]:
    """pi1 to pi3 are masters, pi4 is a worker."""
    pis = Pis()
    try:
        pis.up(len(NODES))
        pis.push(pyz)
        run(pis, "pi1", "init", "--kit", KIT)
        for node in NODES[1:]:
            pis.write(node, "/root/token", pis.token())
        for node in ("pi2", "pi3"):
            start = time.monotonic()
            said = run(pis, node, *AS_MASTER)
            print(f"{node} is a master after {time.monotonic() - start:.0f} s")
            assert ("two masters are worse than one" in said) == (node == "pi2")
        run(pis, "pi4", *JOIN)
        give_admin(pis, NODES)
        wait_whole(pis, MASTERS, NODES)
        yield pis
    finally:
        pis.down()


def write_all_the_time(pis: Pis, nodes: Sequence[str]) -> dict[str, list[tuple[float, bool]]]:
    """What each of them could write within 50 s: when, and whether; fills as it goes."""
    seen: dict[str, list[tuple[float, bool]]] = {node: [] for node in nodes}

    def watch(node: str) -> None:
        process = pis.start(node, "sh", "-c", WRITES)
        assert process.stdout is not None
        for line in process.stdout:
            when, code = line.split()
            seen[node].append((float(when), code == "0"))
        process.wait(30)
        process.stdout.close()

    watchers = [threading.Thread(target=watch, args=(node,), name=node) for node in nodes]
    for watcher in watchers:
        watcher.start()
    return seen


def join_watchers(nodes: Sequence[str]) -> None:
    for thread in threading.enumerate():
        if thread.name in nodes:
            thread.join(90)


def test_three_masters_are_one_cluster(pis: Pis) -> None:
    assert voters(pis) == set(MASTERS)
    status = json.loads(pis.ask("pi2", "kubepi", "status", "--json"))
    assert status["drift"] == {}
    rows = [(row[0], row[1]) for row in status["cluster_nodes"]]
    assert rows == [("pi1", "master"), ("pi2", "master"), ("pi3", "master"), ("pi4", "worker")]
    done = pis.run("pi3", "kubepi", "join")
    assert "nothing was changed" in done.stdout, done.stderr


@pytest.mark.parametrize("victim", MASTERS)
def test_a_master_is_killed_and_writes_go_on(pis: Pis, victim: str) -> None:
    others = [node for node in NODES if node != victim]
    seen = write_all_the_time(pis, others)
    wait_for("first writes", lambda: True if all(seen.values()) else None, 60)
    pis.lab("cut", victim)
    cut = time.time()
    join_watchers(others)
    for node, writes in seen.items():
        failed = [when - cut for when, written in writes if when > cut and not written]
        print(f"{victim} cut: {node} writes again after {max(failed, default=0):.1f} s "
              f"({len(failed)} writes failed)")  # fmt: skip
        assert writes[-1][1], f"{node} cannot write: {writes[-5:]}"
    living = next(node for node in MASTERS if node != victim)
    ready = pis.nodes_ready(living)
    print(f"{victim} cut: Ready after 50 s: {', '.join(sorted(ready))}")
    start = time.monotonic()
    pis.lab("boot", victim)
    wait_whole(pis, MASTERS, NODES)
    print(f"{victim} is back after {time.monotonic() - start:.0f} s")
    assert voters(pis) == set(MASTERS)


def test_a_master_whose_api_is_dead_uses_another(pis: Pis) -> None:
    manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    pis.ask("pi2", "mv", manifest, "/root/")

    def name_leads_to() -> str:
        rows = [line.split() for line in pis.ask("pi2", "cat", "/etc/hosts").splitlines()]
        return next((r[0] for r in rows if "home.kubepi.internal" in r), "")

    def elsewhere() -> bool | None:
        return True if name_leads_to() not in ("", pis.addresses["pi2"]) else None

    wait_for("pi2 to use another API", elsewhere, 60)
    kubectl(pis, "pi2", "get", "nodes")
    pis.ask("pi2", "mv", "/root/kube-apiserver.yaml", manifest)
    wait_for("its own", lambda: True if name_leads_to() == pis.addresses["pi2"] else None, 120)
    wait_whole(pis, MASTERS, NODES)


def test_reset_of_a_master_is_orderly_and_it_can_come_back(pis: Pis) -> None:
    done = pis.run("pi3", "kubepi", "reset", "--yes")
    assert done.returncode == 0, done.stderr
    wait_whole(pis, ("pi1", "pi2"), ("pi1", "pi2", "pi4"), 60)
    pis.lab("cut", "pi2")
    done = pis.run("pi1", "kubepi", "reset", "--yes")
    assert done.returncode != 0, "of two masters with one alive the other may not leave"
    pis.lab("boot", "pi2")
    wait_whole(pis, ("pi1", "pi2"), ("pi1", "pi2", "pi4"))
    run(pis, "pi3", *AS_MASTER)
    wait_whole(pis, MASTERS, NODES)


def test_a_cut_while_a_master_joins_is_gone_on_with(pis: Pis) -> None:
    """The worst case too: of one master and a second one that was just given a vote."""
    print(f"\nKUBEPI_SEED={SEED}")
    chance = random.Random(SEED)
    for node in ("pi3", "pi2"):
        assert pis.run(node, "kubepi", "reset", "--yes").returncode == 0
    for number in range(CUTS):
        node, masters = ("pi2", ("pi1", "pi2")) if number < CUTS // 2 else ("pi3", MASTERS)
        if number == CUTS // 2:
            run(pis, "pi2", *AS_MASTER)
        last = cut_join(pis, node, chance.uniform(0, JOIN_SECONDS))
        start = time.monotonic()
        wait_whole(pis, masters, (*masters, "pi4"), 600)
        print(f"{node}: cut after {last}; a master {time.monotonic() - start:.0f} s after the boot")
        assert pis.run(node, "kubepi", "reset", "--yes").returncode == 0
    run(pis, "pi3", *AS_MASTER)
    run(pis, "pi2", *AS_MASTER)
    wait_whole(pis, MASTERS, NODES)


def cut_join(pis: Pis, node: str, moment: float) -> str:
    """The plug is pulled some seconds after kubepi is on the disk; what was done by then."""
    process = pis.start(node, "python3", "-I", FILE, *AS_MASTER)
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if "service kubepi-agent.service" in line:
            break
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    time.sleep(moment)
    pis.lab("cut", node)
    process.wait(30)
    reader.join(30)
    process.stdout.close()
    pis.lab("boot", node)
    return f"{moment:.1f} s: {lines[-1].strip()}"


def test_up_makes_as_many_masters_as_the_config_says(pis: Pis) -> None:
    for node in ("pi4", "pi3", "pi2", "pi1"):
        assert pis.run(node, "kubepi", "reset", "--yes").returncode == 0, node
    give_config(pis, NODES, expect=len(NODES), masters=3)
    start = time.monotonic()
    up_together(pis, NODES)
    made = masters_of(pis, NODES)
    print(f"up: {', '.join(made)} are masters after {time.monotonic() - start:.0f} s")
    assert len(made) == 3
    wait_whole(pis, made, NODES)
