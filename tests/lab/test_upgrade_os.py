"""Debian's packages on three masters, one node after the other: emptied, booted only where needed.

`tests/run --long upgrade`. The seed of the power cuts is printed; KUBEPI_SEED repeats it.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import masters
import pytest
from labnodes import load
from labpower import boot_id
from life import Load, apply_life, wait_answers
from masters import MASTERS, wait_whole
from ospackages import BOOTS, FAILS, NAME, begin, installed, moment, of_kubernetes, publish
from pis import Done, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("upgrade")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
OLD = "v1.35.4"  # the kit has a newer one
TYPED_ON, BOOTED = "pi3", "pi2"
COMMAND = ("kubepi", "upgrade", "--os", "--all")
LEFT_OVER = {"upgrade.json", "before-upgrade", "pending", "rebooted-for"}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def pis(pyz: Path, scratch: Path) -> Iterator[Pis]:
    """Three masters that run an application, and have version 1.0 of the lab's package."""
    pis = Pis()
    try:
        pis.up(len(MASTERS))
        pis.push(pyz)
        masters.begin(pis, "--kubernetes", "1.35")
        begin(pis, "1.0", scratch)
        apply_life(pis)
        wait_answers(pis, "pi1")
        yield pis
    finally:
        pis.down()


def upgrade_all(pis: Pis) -> Done:
    start = time.monotonic()
    done = pis.run(TYPED_ON, *COMMAND, timeout=3000)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "All nodes are up to date." in done.stdout
    print(f"\n{' '.join(COMMAND)}, three masters: {time.monotonic() - start:.0f} s")
    return done


def boots(pis: Pis) -> dict[str, str]:
    return {node: boot_id(load(pis.folders[node])) for node in MASTERS}


def booted(pis: Pis, before: dict[str, str]) -> set[str]:
    return {node for node, boot in boots(pis).items() if boot != before[node]}


def unschedulable(pis: Pis) -> set[str]:
    items = json.loads(pis.ask("pi1", "kubectl", "get", "nodes", "-o", "json"))["items"]
    return {i["metadata"]["name"] for i in items if i["spec"].get("unschedulable")}


def is_well(pis: Pis, node: str) -> bool | None:
    return True if pis.run(node, "kubepi", "status").returncode == 0 else None


def need_done(pis: Pis, version: str) -> None:
    """The package everywhere, all nodes in service, and nothing left of the upgrade."""
    assert installed(pis) == dict.fromkeys(MASTERS, f"installed {version}")
    wait_whole(pis, MASTERS, MASTERS)
    assert unschedulable(pis) == set()
    for node in MASTERS:
        assert not LEFT_OVER & set(pis.ask(node, "ls", "/var/lib/kubepi").split())
        assert pis.run(node, "test", "-e", "/run/reboot-required").returncode == 1
        wait_for(f"{node} as wanted", partial(is_well, pis, node))
    wait_answers(pis, "pi1")


def need_one_at_a_time(pis: Pis) -> None:
    """At each one's turn it alone was out of service, and the other masters were all there."""
    seen = {node: moment(pis, node) for node in MASTERS}
    assert sorted(MASTERS, key=lambda node: seen[node].when) == ["pi1", "pi2", "pi3"]
    for node, then in seen.items():
        assert then.cordoned == {node}
        assert then.ready == set(MASTERS)
        assert node not in then.pods
        assert then.apis == ["ok"] * len(MASTERS)


def test_each_node_is_emptied_and_only_one_boots(pis: Pis, scratch: Path) -> None:
    before, held = boots(pis), of_kubernetes(pis)
    assert all(f"hold kubelet {OLD[1:]}-" in rows for rows in held.values()), held
    publish(pis, "2.0", scratch)
    pis.write(BOOTED, BOOTS, "")
    with Load(pis, "pi1") as load:
        print(upgrade_all(pis).stderr)
    print(load)
    assert booted(pis, before) == {BOOTED}
    need_done(pis, "2.0")
    need_one_at_a_time(pis)
    assert of_kubernetes(pis) == held
    assert load.answers > 100
    assert len(load.failures) < load.answers / 20, load
    before = boots(pis)
    upgrade_all(pis)
    assert booted(pis, before) == set()
    need_done(pis, "2.0")


def test_a_package_that_fails_stops_it_there(pis: Pis, scratch: Path) -> None:
    before, old = boots(pis), installed(pis)
    publish(pis, "3.0", scratch)
    pis.write("pi2", FAILS, "")
    done = pis.run(TYPED_ON, *COMMAND, timeout=3000)
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert f"kubepi: the upgrade of pi2 failed: dpkg fails at {NAME}\n" in done.stderr
    assert "hint: sudo kubepi upgrade on pi2 says more" in done.stderr
    now = {"pi1": "installed 3.0", "pi2": "half-configured 3.0", "pi3": old["pi3"]}
    assert installed(pis) == now
    assert unschedulable(pis) == {"pi2"}
    wait_answers(pis, "pi1")
    more = pis.run("pi2", "kubepi", "upgrade")
    assert more.returncode == 1, f"{more.stdout}\n{more.stderr}"
    assert NAME in more.stderr
    pis.ask("pi2", "rm", FAILS)
    upgrade_all(pis)
    need_done(pis, "3.0")
    assert booted(pis, before) == set()


def test_the_one_who_asked_is_cut_and_the_same_command_ends_it(pis: Pis, scratch: Path) -> None:
    """While another one is at it, and while its own packages are."""
    print(f"\nKUBEPI_SEED={SEED}")
    chance = random.Random(SEED)
    before = boots(pis)
    publish(pis, "4.0", scratch)
    for node in ("pi1", TYPED_ON):
        process = pis.start(TYPED_ON, *COMMAND)
        wait_for(f"{node} to be at it", partial(is_at_it, pis, node, process), 600)
        seconds = chance.uniform(0, 10)
        time.sleep(seconds)
        pis.lab("cut", TYPED_ON)
        process.kill()
        said = process.communicate()[0].strip().splitlines()
        pis.lab("boot", TYPED_ON)
        print(f"cut {seconds:.0f} s after {node} was at it, after: {said[-1:]}")
    upgrade_all(pis)
    need_done(pis, "4.0")
    assert booted(pis, before) == {TYPED_ON}


def is_at_it(pis: Pis, node: str, process: subprocess.Popen[str]) -> bool | None:
    assert process.poll() is None, process.communicate()[0]
    there = pis.run(node, "test", "-e", "/var/lib/kubepi/upgrade.json").returncode == 0
    return True if there else None
