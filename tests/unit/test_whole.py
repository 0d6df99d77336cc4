"""commands/whole.py, disable.py and enable.py: who is asked, who is waited for, what is refused."""

import json
from pathlib import Path

import pytest

from kubepi.cli import main
from kubepi.commands.whole import Others, has_gone
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.decide.wish import DISABLE, parse_wish
from kubepi.errors import StepFailed
from kubepi.lan.peers import PEERS, to_json
from kubepi.lan.wishing import asked
from kubepi.machine import state
from tests.fakes import FakePi


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


def hears(pi: FakePi, **states: str) -> None:
    book = {
        name: Peer(Advert(node=name, node_id=name, role="worker", state=word), True, pi.monotonic())
        for name, word in states.items()
    }
    pi.put(PEERS, json.dumps(to_json(book)))


def others_of(pi: FakePi, yes: bool = False) -> Others:
    return Others(pi, yes)


def is_disabled(peer: Peer) -> bool:
    return peer.advert.state == "disabled"


def test_a_wish_is_in_the_advert_only_as_long_as_it_is_asked(pi: FakePi) -> None:
    with asked(pi, DISABLE):
        wish = parse_wish(pi.read(state.WISH) or "")
        assert wish is not None
        assert (wish.verb, wish.targets) == (DISABLE, ())
    assert not pi.exists(state.WISH)


def test_who_moves_is_waited_for(pi: FakePi) -> None:
    hears(pi, a="ready", b="disabled")
    moves = iter(["disabling", "disabling", "disabled"])
    pi.clock.on_sleep.append(lambda: hears(pi, a=next(moves), b="disabled"))
    others_of(pi).watch(is_disabled)
    assert next(moves, None) is None


def test_who_says_nothing_new_is_named(pi: FakePi) -> None:
    pi.clock.on_sleep.append(lambda: hears(pi, a="disabling", b="disabled"))
    hears(pi, a="disabling")
    with pytest.raises(StepFailed, match=r"^a is disabling for 120 s$") as caught:
        others_of(pi).watch(is_disabled)
    assert "--yes" in caught.value.hint


def test_with_yes_the_others_are_told_to_go_on_without_it(pi: FakePi) -> None:
    pi.clock.on_sleep.append(lambda: hears(pi, a="disabling", b="disabled"))
    hears(pi, a="disabling", b="disabled")
    others = others_of(pi, yes=True)
    with asked(pi, DISABLE):
        others.watch(is_disabled)
        wish = parse_wish(pi.read(state.WISH) or "")
        assert wish is not None
        assert (wish.verb, wish.targets) == ("go-on-without", ("a",))
    assert others.given_up == ["a"]


def test_who_is_known_and_not_heard_is_named_before_anything_changes(pi: FakePi) -> None:
    hears(pi, a="ready")
    state.write_json(pi, state.KNOWN, {"1": ["a", "10.0.0.1"], "2": ["gone", "10.0.0.2"]})
    with pytest.raises(StepFailed, match=r"^gone is not heard$"):
        others_of(pi).name_the_silent()
    others = others_of(pi, yes=True)
    others.name_the_silent()
    assert others.given_up == ["gone"]


def test_a_disabled_node_that_is_quiet_has_gone(pi: FakePi) -> None:
    peer = Peer(Advert(node="a", state="disabled"), True, pi.monotonic())
    assert not has_gone(pi, peer)
    pi.sleep(20)
    assert has_gone(pi, peer)


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_a_pi_in_no_cluster_is_told_what_to_do(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), verb]) == 6
    assert "in no cluster" in capsys.readouterr().err
