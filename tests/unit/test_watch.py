"""kubepi/report/watch.py: the live table, on a terminal and in a file."""

import io
from dataclasses import replace

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import SILENT_AFTER, Peer
from kubepi.report.watch import Watch

PI = Peer(
    Advert(
        node="pi2", node_id="2" * 16, address="10.0.0.2", board="Raspberry Pi 4", role="worker",
        state="joining", progress="40 % images from the kit",
    ),
    True, 100.0,
)  # fmt: skip
STRANGER = Peer(Advert(node="other", node_id="9" * 16), False, 100.0, "not signed with our token")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ready() -> Peer:
    return replace(PI, advert=replace(PI.advert, state="ready", progress=""))


def test_a_terminal_shows_one_table_that_is_drawn_over(ready: Peer) -> None:
    watch = Watch(Screen())
    watch.show({"2": PI, "?9": STRANGER}, 100.0)
    first = watch.stream.getvalue()  # type: ignore[attr-defined]
    assert "pi2    10.0.0.2  Raspberry Pi 4  worker  joining  0 s  40 % images from" in first
    assert first.index("pi2") < first.index("other")
    assert "not trusted: not signed with our token" in first
    watch.show({"2": PI}, 112.0)
    watch.show({"2": ready}, 113.0)
    rest = watch.stream.getvalue()[len(first) :]  # type: ignore[attr-defined]
    assert rest.startswith("\033[3A\033[J")
    assert "joining  12 s" in rest
    assert "ready  0 s" in rest


def test_elsewhere_there_is_a_line_for_each_change(ready: Peer) -> None:
    watch = Watch(io.StringIO())
    for now, peer in ((100.0, PI), (101.0, PI), (102.0, ready), (103.0, ready)):
        watch.show({"2": peer}, now)
    watch.show({"2": ready}, 103.0 + SILENT_AFTER)
    assert watch.stream.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "pi2 (10.0.0.2) worker joining 40 % images from the kit",
        "pi2 (10.0.0.2) worker ready",
        "pi2 (10.0.0.2) worker silent",
    ]
