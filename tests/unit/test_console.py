"""kubepi/agent/console.py: one line for each state, and none where there is no console."""

from pathlib import Path

import pytest

from kubepi.agent.console import CONSOLE, Console, line_of
from kubepi.decide.adverts import Advert
from tests.fakes import FakePi

ELECTING = Advert(cluster="home", node="pi-1", address="10.0.0.7", state="electing")
READY = Advert(cluster="home", node="pi-1", address="10.0.0.7", role="master", state="ready")


@pytest.mark.parametrize(
    ("advert", "line"),
    [
        (Advert(node="pi-1"), "kubepi: pi-1 is new"),
        (ELECTING, "kubepi: pi-1 is electing at 10.0.0.7"),
        (READY, "kubepi: pi-1 is ready, master of home at 10.0.0.7"),
    ],
)
def test_the_line(advert: Advert, line: str) -> None:
    assert line_of(advert) == line


def test_it_is_said_once_for_each_state(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {CONSOLE: ""})
    console = Console(pi)
    said = []
    for advert in (ELECTING, ELECTING, READY):
        pi.put(CONSOLE, "")
        console.show(advert)
        said.append((pi.read(CONSOLE) or "").strip())
    assert said == [line_of(ELECTING), "", line_of(READY)]


def test_without_a_console_nothing_is_made(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    Console(pi).show(READY)
    assert not pi.exists(CONSOLE)
