"""A node and a whole cluster disabled and enabled: what runs goes on, and all is found again.

`tests/run --long life` has five rounds of each, and power cuts. The seed is printed.
"""

import json
import os
import random
import time
from collections.abc import Iterator

import pytest
from life import Load, apply_life, ask_pair, pods, remove_life, unbroken, wait_answers
from pis import Pis, wait_for

pytestmark = pytest.mark.lab
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
NODES = ("pi1", "pi2", "pi3")
RUNNING = "ctr --namespace k8s.io tasks list | grep -c RUNNING || true"


@pytest.fixture(scope="module")
def life(pis: Pis) -> Iterator[Pis]:
    apply_life(pis)
    yield pis
    remove_life(pis)


def state_of(pis: Pis, node: str) -> str:
    return str(json.loads(pis.run(node, "kubepi", "status", "--json").stdout)["state"])


def schedulable(pis: Pis) -> set[str]:
    items = json.loads(pis.ask("pi1", "kubectl", "get", "nodes", "-o", "json"))["items"]
    return {i["metadata"]["name"] for i in items if not i["spec"].get("unschedulable")}


def wait_whole(pis: Pis) -> None:
    """All Ready, in service, and the application answers."""
    pis.wait_ready(NODES)
    wait_for("all in service", lambda: True if schedulable(pis) == set(NODES) else None)
    wait_answers(pis, "pi1")


def test_a_worker_goes_and_comes_back_under_load(life: Pis) -> None:
    with Load(life, "pi1") as load:
        done = life.run("pi2", "kubepi", "disable")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert "sudo kubepi enable brings it back" in done.stdout
        assert life.ask("pi2", "sh", "-c", RUNNING).strip() == "0"
        assert schedulable(life) == {"pi1", "pi3"}
        assert state_of(life, "pi2") == "disabled"
        assert life.run("pi2", "kubepi", "status").returncode == 0
        life.lab("reboot", "pi2")
        wait_for("the agent", lambda: True if state_of(life, "pi2") == "disabled" else None)
        assert life.run("pi2", "systemctl", "is-active", "kubelet").stdout.strip() == "inactive"
        done = life.run("pi2", "kubepi", "enable")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"\ndisable, reboot, enable of a worker: {load}")
    wait_whole(life)
    assert load.answers > 100
    assert len(load.failures) < load.answers / 20, load


def test_the_only_master_is_not_disabled_alone(life: Pis) -> None:
    done = life.run("pi1", "kubepi", "disable")
    assert done.returncode == 4
    assert "only master" in done.stderr
    assert "--all" in done.stderr
    assert schedulable(life) == set(NODES)


def test_a_bare_pod_is_named(life: Pis) -> None:
    pin = '{"spec":{"nodeName":"pi3"}}'
    image = "docker.io/library/busybox:1.37"
    life.ask("pi1", "kubectl", "run", "lonely", "--image", image, "--overrides", pin, "--",
             "sleep", "3600")  # fmt: skip
    wait_for("its pod", lambda: True if "lonely on pi3" in pods(life).values() else None)
    done = life.run("pi3", "kubepi", "disable")
    assert done.returncode == 1
    assert "nobody would start these pods again: default/lonely" in done.stderr
    assert life.run("pi3", "kubepi", "enable").returncode == 0
    life.ask("pi1", "kubectl", "delete", "pod", "lonely", "--now")
    wait_whole(life)


def disable_all(pis: Pis, node: str, *words: str) -> None:
    start = time.monotonic()
    done = pis.run(node, "kubepi", "disable", "--all", *words)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"\ndisable --all {' '.join(words)} typed on {node}: {time.monotonic() - start:.0f} s")
    print(done.stderr)


@pytest.mark.long("life")
def test_all_go_and_come_back_in_order(life: Pis) -> None:
    before, counted = pods(life), unbroken(life)
    disable_all(life, "pi2")
    for node in NODES:
        assert state_of(life, node) == "disabled"
        assert life.ask(node, "sh", "-c", RUNNING).strip() == "0"
    for node in NODES:
        life.lab("cut", node)
    for node in ("pi3", "pi1", "pi2"):
        life.lab("boot", node)
    start = time.monotonic()
    done = life.run("pi3", "kubepi", "enable", "--all")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"enable --all: {time.monotonic() - start:.0f} s\n{done.stderr}")
    wait_whole(life)
    wait_for("the same pods", lambda: True if pods(life).keys() >= before.keys() else None)
    assert all(unbroken(life)[node] > count for node, count in counted.items())


@pytest.mark.long("life")
@pytest.mark.parametrize("round_", range(5))
def test_all_go_and_come_back_five_times(life: Pis, round_: int) -> None:
    """Powered off by themselves; on again in any order, nobody has to do anything."""
    chance = random.Random(f"{SEED} {round_}")
    print(f"\nKUBEPI_SEED={SEED}")
    before, counted = pods(life), unbroken(life)
    typed_on, order = chance.choice(NODES), chance.sample(NODES, 3)
    disable_all(life, typed_on, "--poweroff")
    wait_for("all to be off", lambda: True if not powered(life) else None)
    for node in order:
        life.lab("boot", node)
        time.sleep(chance.uniform(0, 10))
    start = time.monotonic()
    wait_whole(life)
    print(f"typed on {typed_on}, switched on {order}: whole after {time.monotonic() - start:.0f} s")
    wait_for("the same pods", lambda: True if pods(life).keys() >= before.keys() else None)
    assert all(unbroken(life)[node] > count for node, count in counted.items())


def powered(pis: Pis) -> list[str]:
    rows = json.loads(pis.lab("list", "--json").stdout)["nodes"]
    return [row["name"] for row in rows if row["on"] and row["name"] in NODES]


@pytest.mark.long("life")
@pytest.mark.parametrize("round_", range(8))
def test_a_power_cut_of_the_one_who_asked_loses_nothing(life: Pis, round_: int) -> None:
    chance = random.Random(f"{SEED} cut {round_}")
    print(f"\nKUBEPI_SEED={SEED}")
    before, counted = pods(life), unbroken(life)
    node, moment = chance.choice(NODES), chance.uniform(0, 30)
    process = life.start(node, "kubepi", "disable", "--all")
    time.sleep(moment)
    life.lab("cut", node)
    process.communicate(timeout=60)
    life.lab("boot", node)
    print(f"cut of {node} after {moment:.0f} s")
    disable_all(life, node)
    done = life.run(node, "kubepi", "enable", "--all")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    wait_whole(life)
    wait_for("the same pods", lambda: True if pods(life).keys() >= before.keys() else None)
    assert all(unbroken(life)[name] > count for name, count in counted.items())
    assert not ask_pair(life, "pi2")
