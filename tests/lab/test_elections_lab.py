"""Five Pis that elect their master in trouble: one late, cut or deaf, or without multicast.

All of it in `tests/run --long election`; without trouble: test_zero_touch.py, test_cards_lab.py.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pis import FILE, KIT, Pis, wait_for
from zero import give_config, on_disk, up_on, up_together, wait_one_cluster

pytestmark = [pytest.mark.lab, pytest.mark.long("election")]
NODES = tuple(f"pi{number}" for number in range(1, 6))
FIRST = "pi1"
LATE_SECONDS = 120.0


@pytest.fixture
def five(pyz: Path) -> Iterator[Pis]:
    """Fresh ones; nothing of them is left."""
    pis = Pis()
    try:
        pis.up(len(NODES))
        pis.push(pyz)
        yield pis
    finally:
        pis.down()


def prefer(pis: Pis, node: str) -> None:
    """It becomes the master if it is there: the others are as fit as it is."""
    pis.ask(node, "sh", "-c", "printf 'node:\\n  role: master\\n' >> /etc/kubepi/kubepi.yaml")


def test_one_is_two_minutes_late(five: Pis) -> None:
    give_config(five, NODES, expect=5)
    prefer(five, FIRST)
    with up_on(five, NODES[1:]) as running:
        # the condition is time itself: how long one is missing
        time.sleep(LATE_SECONDS)
        with up_on(five, [FIRST]) as late:
            assert late[FIRST].wait(900) == 0
        assert all(process.wait(900) == 0 for process in running.values())
    assert wait_one_cluster(five, NODES) != FIRST


def vote_of(pis: Pis) -> list[str]:
    """Promised, accepted, choice, master, expect, as they are on its disk; empty before."""
    text = on_disk(pis, FIRST, "/var/lib/kubepi/vote").strip()
    return text.split("/") if text.count("/") == 4 else ["0.0.", "0.0.", "", "", ""]


MOMENTS: dict[str, Callable[[Pis], bool]] = {
    "while its ballot runs": lambda pis: vote_of(pis)[0] != "0.0.",
    "when it is elected": lambda pis: vote_of(pis)[3] != "",
    "in the middle of init": lambda pis: bool(
        on_disk(pis, FIRST, "/etc/kubernetes/manifests/etcd.yaml")
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_future_master_loses_its_power(five: Pis, moment: str) -> None:
    give_config(five, NODES, expect=5)
    prefer(five, FIRST)
    with up_on(five, NODES):
        wait_for(moment, lambda: MOMENTS[moment](five) or None, 300)
        five.lab("cut", FIRST)
        print(f"\ncut {moment}: its vote was {'/'.join(vote_of(five))}")
        five.lab("boot", FIRST)
        master = wait_one_cluster(five, NODES)
    print(f"the master is {master}")


def test_one_does_not_hear_the_others_by_multicast(five: Pis) -> None:
    """What the others say does not reach pi2; what it says reaches them."""
    give_config(five, NODES, expect=5)
    for node in NODES[:1] + NODES[2:]:
        drop = ["iptables", "-A", "INPUT", "-s", five.addresses[node], "-d", "224.0.0.251"]
        five.ask("pi2", *drop, "-j", "DROP")
    with up_on(five, NODES):
        wait_one_cluster(five, NODES)


def test_without_multicast_the_seeds_are_asked(five: Pis) -> None:
    seeds = json.dumps(list(five.addresses.values()))
    give_config(five, NODES, expect=5, seeds=seeds)
    for node in NODES:
        five.ask(node, "iptables", "-A", "INPUT", "-d", "224.0.0.251", "-j", "DROP")
    with up_on(five, NODES):
        wait_one_cluster(five, NODES)


def test_two_clusters_started_together_stay_apart(five: Pis) -> None:
    attic, cellar = NODES[:3], NODES[3:]
    give_config(five, attic, expect=len(attic), name="attic")
    give_config(five, cellar, expect=len(cellar), name="cellar")
    up_together(five, NODES)
    for nodes in (attic, cellar):
        assert wait_one_cluster(five, nodes) in nodes


def test_two_masters_made_by_force_are_reported_by_all(five: Pis) -> None:
    give_config(five, NODES, expect=2)
    makers = [five.start(node, "python3", "-I", FILE, "init", "--kit", KIT) for node in NODES[:2]]
    for process in makers:
        assert process.communicate(timeout=900)[1] is None
        assert process.returncode == 0
    third = five.kubepi("pi3", "up", "--kit", KIT)
    assert third.returncode == 1
    assert "there are two masters with this token: pi1, pi2" in third.stderr
    for node in NODES[:2]:
        for verb in ("status", "doctor"):
            done = five.run(node, "kubepi", verb)
            assert done.returncode == 1
            assert "there are 2 with our token: pi1, pi2" in done.stdout + done.stderr
