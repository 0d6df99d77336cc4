"""kubepi/decide/wish.py and kubepi/agent/obeying.py: asked in an advert, done once."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.agent.obeying import Obeying
from kubepi.decide.adverts import LONGEST, Advert
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer
from kubepi.decide.share import Share
from kubepi.decide.wish import CHECK_SHARE, Wish, new_wishes, parse_wish
from kubepi.log import Log
from kubepi.machine import state
from kubepi.steps.share_check import result_file
from tests.fakes import Answer, FakePi

NUMBER = "0123456789abcdef"
SHARE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")


def book(wish: str, trusted: bool = True, heard: float = 0.0) -> Book:
    advert = Advert(node="pi1", node_id="aa", role="master", state="ready", wish=wish)
    return {"aa": Peer(advert, trusted, heard)}


def test_a_wish_is_read_as_it_was_written() -> None:
    for wish in (Wish(NUMBER, CHECK_SHARE), Wish(NUMBER, "drain", ("pi-a", "pi-b"))):
        assert parse_wish(str(wish)) == wish
        assert len(str(wish)) <= LONGEST["wish"]


@pytest.mark.parametrize(
    "text", ["", NUMBER, "1 check-share", f"{NUMBER} Check", f"{NUMBER} a b c", f"{NUMBER}  a"]
)
def test_what_is_no_wish(text: str) -> None:
    assert parse_wish(text) is None


@given(st.text())
def test_any_text_is_a_wish_or_none(text: str) -> None:
    wish = parse_wish(text)
    assert wish is None or parse_wish(str(wish)) == wish


def test_each_is_obeyed_once_by_whom_it_is_for() -> None:
    asked = book(f"{NUMBER} check-share")
    assert set(new_wishes(asked, "pi2", {}, 1.0)) == {"aa"}
    assert not new_wishes(asked, "pi2", {"aa": NUMBER}, 1.0)
    named = book(f"{NUMBER} check-share pi3,pi4")
    assert not new_wishes(named, "pi2", {}, 1.0)
    assert set(new_wishes(named, "pi4", {}, 1.0)) == {"aa"}


def test_strangers_and_the_silent_wish_nothing() -> None:
    text = f"{NUMBER} check-share"
    assert not new_wishes(book(text, trusted=False), "pi2", {}, 1.0)
    assert not new_wishes(book(text), "pi2", {}, SILENT_AFTER + 1)


# --- obeying ------------------------------------------------------------------------------


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = FakePi(tmp_path, {state.SHARE: f"{SHARE}\n"})
    pi.log = Log(tmp_path / "log")
    pi.changes("sh", script=_checked)
    return pi


def _checked(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    """The script's last act."""
    path = Path(argv[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"node": argv[-2], "why": "", "seconds": 0.25}))
    return 0, ""


def asked(pi: FakePi, verb: str) -> Book:
    return book(f"{NUMBER} {verb}", heard=pi.monotonic())


def test_a_node_checks_its_share_and_leaves_the_result_there(pi: FakePi) -> None:
    obeying = Obeying(pi)
    wished = asked(pi, CHECK_SHARE)
    assert obeying.wanted(wished, "pi2")
    obeying.do(wished, "pi2")
    found = json.loads(pi.read(result_file(SHARE, NUMBER, "pi2")) or "")
    assert found["node"] == "pi2"
    assert not found["why"]
    assert not obeying.wanted(wished, "pi2")


def test_one_that_cannot_write_leaves_none(pi: FakePi) -> None:
    pi.changes("sh", script=lambda pi, argv, stdin: (1, "cp: Read-only file system"))
    Obeying(pi).do(asked(pi, CHECK_SHARE), "pi2")
    assert pi.read(result_file(SHARE, NUMBER, "pi2")) is None


def test_a_wish_of_a_newer_kubepi_is_left_undone(pi: FakePi, tmp_path: Path) -> None:
    obeying = Obeying(pi)
    obeying.do(asked(pi, "dance"), "pi2")
    assert not pi.ran
    assert "newer kubepi" in (tmp_path / "log").read_text()
    assert not obeying.wanted(asked(pi, "dance"), "pi2")
