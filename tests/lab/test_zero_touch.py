"""Nobody says who is the master: Pis that are told only `up` elect one and join it.

They stand on the bridge of the cluster of pi1 to pi3, with a token of their own.
"""

from collections.abc import Iterator

import pytest
from pis import Pis
from zero import CONFIG, give_config, masters_of, up_together, wait_one_cluster

pytestmark = pytest.mark.lab
NODES = ("pi4", "pi5", "pi6")


@pytest.fixture(scope="module")
def said(pis: Pis) -> Iterator[dict[str, str]]:
    """What `up` printed on each; the nodes are given back as they were."""
    before = give_config(pis, NODES, expect=len(NODES), name="attic")
    try:
        yield up_together(pis, NODES)
    finally:
        for node in sorted(NODES, key=lambda node: node in masters_of(pis, NODES)):
            pis.run(node, "kubepi", "reset", "--yes")
            pis.write(node, CONFIG, before)


def test_three_pis_become_one_cluster_with_one_master(pis: Pis, said: dict[str, str]) -> None:
    master = wait_one_cluster(pis, NODES)
    assert "This Pi is a master of the cluster 'attic' now." in said[master]
    for worker in {*NODES} - {master}:
        assert "This Pi is a worker of the cluster 'attic' now." in said[worker]


def test_the_cluster_beside_it_is_not_touched(pis: Pis, said: dict[str, str]) -> None:
    assert pis.nodes_ready("pi1") == {"pi1", "pi2", "pi3"}


def test_up_on_a_member_changes_nothing(pis: Pis, said: dict[str, str]) -> None:
    again = up_together(pis, NODES)
    for node in NODES:
        assert "already; nothing was changed" in again[node]


def test_the_reason_is_in_the_log_of_each(pis: Pis, said: dict[str, str]) -> None:
    master = wait_one_cluster(pis, NODES)
    assert "agent: lead: elected by " in pis.ask(master, "cat", "/var/log/kubepi.log")
    for worker in {*NODES} - {master}:
        log = pis.ask(worker, "cat", "/var/log/kubepi.log")
        assert f"agent: join: {master} is the master" in log
