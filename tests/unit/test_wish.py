"""kubepi/decide/wish.py and kubepi/agent/obeying.py: asked in an advert, done once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.agent.obeying import Obeying, power_off
from kubepi.decide.adverts import LONGEST, Advert
from kubepi.decide.disabled import Disabled
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer
from kubepi.decide.share import Share
from kubepi.decide.upgrade import Upgrade
from kubepi.decide.wish import CHECK_SHARE, FRESH, Obeyed, Wish, new_wishes, parse_wish
from kubepi.errors import StepFailed
from kubepi.log import Log
from kubepi.machine import disabled, state, upgrading
from kubepi.steps.share_check import result_file
from tests.fakes import Answer, FakePi
from tests.scene import join_goal

NUMBER = "0123456789abcdef"
SHARE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")


CLOCK = 1_800_000_000


def book(wish: str, trusted: bool = True, heard: float = 0.0, **about: Any) -> Book:
    said = {"time": CLOCK, "sequence": 1, "wish": wish, **about}
    advert = Advert(node="pi1", node_id="aa", role="master", state="ready", **said)
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
    assert set(new_wishes(asked, "pi2", {}, 1.0, CLOCK)) == {"aa"}
    assert not new_wishes(asked, "pi2", {"aa": Obeyed(NUMBER, 0)}, 1.0, CLOCK)
    named = book(f"{NUMBER} check-share pi3,pi4")
    assert not new_wishes(named, "pi2", {}, 1.0, CLOCK)
    assert set(new_wishes(named, "pi4", {}, 1.0, CLOCK)) == {"aa"}


def test_a_recording_wishes_nothing() -> None:
    """Neither one from before the last wish that was obeyed, nor one that is old."""
    text = f"{NUMBER} disable"
    for sequence, obeyed_at, is_new in ((7, 6, True), (7, 7, False), (7, 8, False)):
        last = {"aa": Obeyed("f" * 16, obeyed_at)}
        found = new_wishes(book(text, sequence=sequence), "pi2", last, 1.0, CLOCK)
        assert bool(found) is is_new
    assert new_wishes(book(text), "pi2", {}, 1.0, CLOCK + FRESH - 1)
    assert not new_wishes(book(text), "pi2", {}, 1.0, CLOCK + FRESH + 1)
    assert not new_wishes(book(text), "pi2", {}, 1.0, CLOCK - FRESH - 1)


def test_strangers_and_the_silent_wish_nothing() -> None:
    text = f"{NUMBER} check-share"
    assert not new_wishes(book(text, trusted=False), "pi2", {}, 1.0, CLOCK)
    assert not new_wishes(book(text), "pi2", {}, SILENT_AFTER + 1, CLOCK)


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
    return book(f"{NUMBER} {verb}", heard=pi.monotonic(), time=int(pi.now()))


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


# --- disabled and enabled at a wish ---------------------------------------------------------


@pytest.fixture
def member(pi: FakePi) -> FakePi:
    state.save_goal(pi, join_goal())
    state.mark_reached(pi)
    pi.changes("systemctl", script=lambda pi, argv, stdin: (0, ""))
    return pi


def wishes(pi: FakePi, verb: str, number: int, targets: str = "") -> None:
    text = f"{number:016x} {verb} {targets}".strip()
    wished = book(text, heard=pi.monotonic(), time=int(pi.now()), sequence=number)
    Obeying(pi).do(wished, "pi2")


def resumes(pi: FakePi) -> int:
    return sum("kubepi-resume.service" in argv for argv in pi.ran)


@pytest.mark.parametrize(("verb", "until"), [("disable", "enable"), ("disable-until-boot", "boot")])
def test_a_node_goes_and_comes_back_by_resume(member: FakePi, verb: str, until: str) -> None:
    wishes(member, verb, 1)
    assert disabled.load(member) == Disabled(until, whole=True)
    assert resumes(member) == 1
    wishes(member, verb, 1)  # the agent was started anew, and hears it again
    assert resumes(member) == 1
    wishes(member, "enable", 2)
    found = disabled.load(member)
    assert found is not None
    assert found.returning
    assert resumes(member) == 2


def test_a_replay_after_the_agents_start_does_nothing(member: FakePi) -> None:
    wishes(member, "disable", 1)
    wishes(member, "enable", 2)
    disabled.forget(member)
    wishes(member, "disable", 1)
    assert disabled.load(member) is None


def test_who_was_disabled_alone_stays_so(member: FakePi) -> None:
    disabled.begin(member, Disabled())
    wishes(member, "disable-until-boot", 1)
    assert disabled.load(member) == Disabled()
    assert resumes(member) == 0


def test_a_pi_that_is_no_node_obeys_nothing_of_it(pi: FakePi) -> None:
    for number, verb in enumerate(("disable", "enable", "power-off", "go-on-without"), 1):
        wishes(pi, verb, number, "pi3" if verb == "go-on-without" else "")
    assert not pi.ran
    assert disabled.load(pi) is None


def test_who_is_given_up_is_not_waited_for(member: FakePi) -> None:
    wishes(member, "disable", 1)
    wishes(member, "go-on-without", 2, "pi3")
    wishes(member, "go-on-without", 3, "pi3,pi4")
    found = disabled.load(member)
    assert found is not None
    assert found.without == ("pi3", "pi4")


def test_only_a_node_that_is_stopped_is_switched_off(member: FakePi) -> None:
    wishes(member, "power-off", 1)
    disabled.begin(member, Disabled("boot", whole=True))
    wishes(member, "power-off", 2)
    assert not member.exists(state.GOING_OFF)
    disabled.mark_done(member)
    wishes(member, "power-off", 3)
    assert member.exists(state.GOING_OFF)
    power_off(member)
    assert member.ran[-1] == ("systemctl", "poweroff")


# --- upgraded at a wish ---------------------------------------------------------------------


def test_what_a_wish_is_about_comes_with_its_verb() -> None:
    wish = Wish(NUMBER, "upgrade", ("pi2",), "v1.36.3")
    assert str(wish) == f"{NUMBER} upgrade=v1.36.3 pi2"
    assert parse_wish(str(wish)) == wish
    assert parse_wish(f"{NUMBER} upgrade=") is None


def test_a_node_is_upgraded_by_resume(member: FakePi) -> None:
    member.put(state.PINNED_VERSION, "v1.35.4\n")
    wishes(member, "upgrade=v1.36.3", 1, "pi2")
    assert upgrading.load(member) == Upgrade("v1.36.3")
    assert resumes(member) == 1
    upgrading.note_failure(member, StepFailed("no room"))
    wishes(member, "upgrade=v1.36.3", 2, "pi2")  # the same command again
    assert resumes(member) == 2
    wishes(member, "upgrade=v1.36.4", 3, "pi2")
    assert resumes(member) == 2, "one after the other"
    wishes(member, "disable", 4)
    assert disabled.load(member) is None


@pytest.mark.parametrize("about", ["v1.34.0", "v1.37.0", "1.36", "", "v1.36.3"])
def test_what_cannot_be_is_not_begun(member: FakePi, about: str) -> None:
    """A downgrade, a skipped minor, no version; and a Pi that has none."""
    if about != "v1.36.3":
        member.put(state.PINNED_VERSION, "v1.35.4\n")
    wishes(member, f"upgrade={about}" if about else "upgrade", 1, "pi2")
    assert upgrading.load(member) is None
    assert resumes(member) == 0
