"""Five prepared cards, five Pis switched on at the same instant, and no command typed: one cluster.

What cmdline.txt tells systemd is told to the systemd of each node: the hook's boot is a real one.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labcards import prepared_card, with_kit
from pis import Pis, wait_for
from zero import masters_of

from tests.cards import CARDS

pytestmark = [pytest.mark.lab, pytest.mark.long("zero")]
COUNT = 5


@contextmanager
def switched_on(card: Path) -> Iterator[Pis]:
    pis = Pis()
    try:
        pis.up(COUNT, "--card", str(card))
        yield pis
    finally:
        pis.down()


def wait_whole(pis: Pis, seconds: float = 1200) -> str:
    """The one master, when all are Ready in its cluster; never two."""

    def whole() -> str | None:
        masters = masters_of(pis, list(pis.addresses))
        assert len(masters) <= 1, f"masters: {masters}"
        return masters[0] if masters and len(pis.nodes_ready(masters[0])) == COUNT else None

    return wait_for(f"{COUNT} Ready nodes", whole, seconds)


@pytest.mark.parametrize(("time_of_it", "expect"), [(1, 5), (2, 5), (3, 5), (4, 0)])
def test_five_cards_become_one_cluster(
    time_of_it: int, expect: int, pyz: Path, tmp_path: Path
) -> None:
    card = with_kit(prepared_card(pyz, tmp_path, CARDS["trixie"], "--expect", str(expect)))
    start = time.monotonic()
    with switched_on(card) as pis:
        master = wait_whole(pis)
        print(
            f"\nexpect {expect}, run {time_of_it}: {master} is the master, "
            f"{COUNT} Ready {time.monotonic() - start:.0f} s after they were switched on"
        )
        for node in pis.addresses:
            assert "token:" not in pis.ask(node, "cat", "/boot/firmware/kubepi.yaml")
            line = pis.ask(node, "cat", "/boot/firmware/cmdline.txt")
            assert "systemd.run" not in line and "cgroup_enable=memory" in line
