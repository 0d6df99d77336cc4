"""The master gets another address, and a worker does; a dead node is forgotten.

`tests/run --long address`. The seed is printed; KUBEPI_SEED repeats the moments of the cuts.
"""

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from addresses import TLS, Leases, left_of, nodes_of, wait_healed
from freshcards import flash, keep_fresh
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("address")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
NODES = ("pi1", "pi2", "pi3")
CUTS = 10
LATEST_CUT = 30.0  # seconds after the new address; by then all has mostly followed
GONE_AFTER = 180  # seconds until a Node that is off counts as NotReady, with some to spare


@pytest.fixture(scope="module")
def pis(pyz: Path) -> Iterator[Pis]:
    """pi1 is the master, pi2 and pi3 are workers; a web application runs on all."""
    print(f"\nKUBEPI_SEED={SEED}", flush=True)
    pis = Pis()
    try:
        pis.up(len(NODES))
        pis.push(pyz)
        keep_fresh(pis, "pi3")
        assert pis.kubepi("pi1", "init", "--kit", KIT).returncode == 0
        for node in NODES[1:]:
            join(pis, node)
        pis.wait_ready(NODES)
        pis.apply_web()
        for node in NODES:
            pis.web_answers(node)
        yield pis
    finally:
        pis.down()


@pytest.fixture(scope="module")
def leases(pis: Pis) -> Leases:
    return Leases(pis)


def join(pis: Pis, node: str) -> None:
    pis.write(node, "/root/token", pis.token())
    done = pis.kubepi(node, "join", "--kit", KIT, "--token-file", "/root/token")
    assert done.returncode == 0, done.stderr


def tell(what: str, seconds: Mapping[str, float]) -> None:
    print(f"{what}: " + ", ".join(f"{name} {s:.0f} s" for name, s in seconds.items()), flush=True)


def check_master(pis: Pis, before: str) -> None:
    """Nothing names the old address any more, and what it signed is good for the new one."""
    address = pis.addresses["pi1"]
    for node in NODES:
        assert left_of(pis, node, before) == "", node
    for ca, port in (("ca.crt", "6443"), ("etcd/ca.crt", "2379"), ("etcd/ca.crt", "2380")):
        words = ("python3", "-c", TLS, f"/etc/kubernetes/pki/{ca}", address, port)
        done = pis.run("pi1", *words)
        assert done.returncode == 0, f"port {port}: {done.stderr}"
    assert f"https://{address}:2380" in etcd_members(pis)
    assert pis.run("pi1", "kubepi", "status").returncode == 0


def etcd_members(pis: Pis) -> str:
    pki = "/etc/kubernetes/pki/etcd"
    words = ("etcdctl", f"--cacert={pki}/ca.crt", f"--cert={pki}/healthcheck-client.crt",
             f"--key={pki}/healthcheck-client.key", "member", "list")  # fmt: skip
    return pis.ask("pi1", "kubectl", "-n", "kube-system", "exec", "etcd-pi1", "--", *words)


@pytest.mark.parametrize("round_", (1, 2, 3))
def test_the_masters_new_address(pis: Pis, leases: Leases, round_: int) -> None:
    since = time.monotonic()
    before = leases.renew("pi1")
    tell(f"new address of the master, {round_}", wait_healed(pis, NODES, since))
    check_master(pis, before)


def test_a_worker_that_was_off_follows_when_it_boots(pis: Pis, leases: Leases) -> None:
    pis.lab("cut", "pi3")
    since = time.monotonic()
    before = leases.renew("pi1")
    tell("new address of the master, a worker off", wait_healed(pis, ("pi1", "pi2"), since))
    pis.lab("boot", "pi3")
    tell("that worker after its boot", wait_healed(pis, NODES, time.monotonic()))
    check_master(pis, before)


def test_a_master_that_boots_with_a_new_address(pis: Pis, leases: Leases) -> None:
    pis.lab("cut", "pi1")
    before = leases.renew("pi1")
    pis.lab("boot", "pi1")
    tell("a master that boots at a new address", wait_healed(pis, NODES, time.monotonic()))
    check_master(pis, before)


def test_a_workers_new_address(pis: Pis, leases: Leases) -> None:
    since = time.monotonic()
    before = leases.renew("pi2")
    tell("new address of a worker", wait_healed(pis, NODES, since))
    assert left_of(pis, "pi1", before) == left_of(pis, "pi3", before) == ""


def test_power_cuts_of_the_master_at_random_moments(pis: Pis, leases: Leases) -> None:
    chance = random.Random(f"{SEED} cuts")
    for number in range(1, CUTS + 1):
        before = leases.renew("pi1")
        moment = chance.uniform(0, LATEST_CUT)
        time.sleep(moment)
        pis.lab("cut", "pi1")
        pis.lab("boot", "pi1")
        healed = wait_healed(pis, NODES, time.monotonic())
        tell(f"cut {number}, {moment:.1f} s after the new address, since the boot", healed)
        check_master(pis, before)


def test_all_get_new_addresses_at_once(pis: Pis, leases: Leases) -> None:
    """Another router."""
    since = time.monotonic()
    before = [leases.renew(node) for node in NODES]
    tell("new addresses of all", wait_healed(pis, NODES, since))
    check_master(pis, before[0])


# --- a dead node --------------------------------------------------------------------------


def test_a_node_that_is_alive_is_not_forgotten(pis: Pis) -> None:
    done = pis.run("pi2", "kubepi", "nodes", "forget", "pi3")
    assert done.returncode == 2
    assert "pi3 is alive" in done.stderr
    assert "kubepi reset" in done.stderr
    assert "pi3" in nodes_of(pis)


def test_a_dead_worker_is_forgotten_from_another_worker(pis: Pis) -> None:
    pis.lab("cut", "pi3")
    wait_for("pi3 NotReady", lambda: True if "pi3" not in pis.nodes_ready() else None, GONE_AFTER)
    done = pis.run("pi2", "kubepi", "nodes", "forget", "pi3")
    assert done.returncode == 0, done.stderr
    assert set(nodes_of(pis)) == {"pi1", "pi2"}
    for node in ("pi1", "pi2"):
        wait_forgotten(pis, node)
        heard = json.loads(pis.ask(node, "kubepi", "nodes", "--json"))
        assert "pi3" not in [peer["advert"]["node"] for peer in heard]
    done = pis.run("pi2", "kubepi", "nodes", "forget", "pi3")
    assert done.returncode == 2
    assert "no node pi3 is known" in done.stderr


def wait_forgotten(pis: Pis, node: str) -> None:
    grep = ("grep", "-w", "pi3", "/etc/hosts", "/var/lib/kubepi/known-peers.json")
    wait_for(
        f"{node} to know pi3 no more",
        lambda: True if pis.run(node, *grep).returncode == 1 else None, 30,
    )  # fmt: skip


def test_one_that_comes_back_from_the_dead_is_a_node_again(pis: Pis) -> None:
    pis.lab("boot", "pi3")
    pis.wait_ready(NODES)
    assert pis.web_answers("pi3") == {f"hello from {node}" for node in NODES}
    assert pis.run("pi3", "kubepi", "status").returncode == 0


def test_a_fresh_card_in_its_board_comes_back_under_its_name(pis: Pis) -> None:
    pis.lab("cut", "pi3")
    flash(pis, "pi3")
    wait_for("pi3 NotReady", lambda: True if "pi3" not in pis.nodes_ready() else None, GONE_AFTER)
    assert pis.run("pi1", "kubepi", "nodes", "forget", "pi3").returncode == 0
    assert set(nodes_of(pis)) == {"pi1", "pi2"}
    pis.lab("boot", "pi3")
    join(pis, "pi3")
    pis.wait_ready(NODES)
    assert pis.web_answers("pi3") == {f"hello from {node}" for node in NODES}
