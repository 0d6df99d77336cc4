"""kubepi/machine/rotation.py: a node's tokens on its disk, whatever the power does."""

from pathlib import Path

import pytest

from kubepi.decide.goal import Secret
from kubepi.decide.rotation import Tokens, begin, settle
from kubepi.log import Log
from kubepi.machine import rotation, state
from kubepi.machine.rotation import FILE, give, is_changed, load, save, take
from tests.fakedisk import PowerCut
from tests.fakes import FakePi

OLD, NEW = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk", "new-token-new-token"
FIRST = Tokens(OLD)
AHEAD = begin(FIRST, NEW, {"a", "b"})


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return with_token(tmp_path / "pi")


def with_token(folder: Path) -> FakePi:
    folder.mkdir()
    pi = FakePi(folder)
    state.save_secret(pi, Secret("token"), OLD)
    return pi


def test_a_node_without_a_token_has_none(tmp_path: Path) -> None:
    assert load(FakePi(tmp_path)) is None


def test_there_and_back_for_root_alone(pi: FakePi) -> None:
    assert load(pi) == FIRST
    for tokens in (AHEAD, settle(AHEAD, {"a", "b"})):
        save(pi, tokens)
        assert load(pi) == tokens
        assert state.read_secret(pi, Secret("token")) == NEW
        assert pi.mode(FILE) == 0o600


def test_what_is_there_is_not_written_again(pi: FakePi) -> None:
    save(pi, AHEAD)
    effects = pi.fake_disk.effects
    save(pi, AHEAD)
    assert pi.fake_disk.effects == effects


@pytest.mark.parametrize("after", [AHEAD, settle(AHEAD, {"a", "b"})], ids=["changed", "settled"])
def test_after_a_power_cut_it_is_the_one_or_the_other(after: Tokens, tmp_path: Path) -> None:
    """And the token's own file, by which others go, follows."""
    before = FIRST if after is AHEAD else AHEAD
    for effect in range(1, 100):
        pi = with_token(tmp_path / str(effect))
        save(pi, before)
        pi.fake_disk.make_all_durable()
        pi.die_at(effect)
        try:
            save(pi, after)
        except PowerCut:
            pi.power_cut()
        else:
            break
        found = load(pi)
        assert found in (before, after), effect
        assert found is not None
        save(pi, found)
        assert state.read_secret(pi, Secret("token")) == found.token
        assert load(pi) == found
    assert effect > 3


def test_a_token_that_is_typed_in_makes_a_new_beginning(pi: FakePi) -> None:
    save(pi, AHEAD)
    state.save_secret(pi, Secret("token"), "a third one")
    assert load(pi) == Tokens("a third one")


def test_a_configured_token_of_before_the_change_is_not_taken(pi: FakePi) -> None:
    """A kubepi.yaml on a card or in /etc keeps the first one for ever."""
    take(pi, "another")
    assert load(pi) == Tokens("another")
    save(pi, AHEAD)
    for tokens in (AHEAD, settle(AHEAD, {"a", "b"})):
        save(pi, tokens)
        take(pi, OLD)
        assert load(pi) == tokens


@pytest.mark.parametrize("tokens", [FIRST, AHEAD, settle(AHEAD, {"a", "b"})])
@pytest.mark.parametrize("given", ["a third one", OLD])
def test_a_token_that_is_given_counts_always(tokens: Tokens, given: str, pi: FakePi) -> None:
    """Whoever has a wrong one, or one that all others have given up, is cured by it."""
    save(pi, tokens)
    give(pi, given)
    assert load(pi) == Tokens(given)
    assert state.read_secret(pi, Secret("token")) == given


def test_the_token_that_is_here_is_no_new_one(pi: FakePi) -> None:
    save(pi, AHEAD)
    give(pi, NEW)
    assert load(pi) == AHEAD


def test_the_first_token_comes_by_either_way(tmp_path: Path) -> None:
    for way in (give, take):
        (tmp_path / way.__name__).mkdir()
        pi = FakePi(tmp_path / way.__name__)
        way(pi, OLD)
        assert load(pi) == FIRST
        assert not is_changed(pi)
        assert not pi.exists(FILE)
        save(pi, AHEAD)
        assert is_changed(pi)


def test_neither_token_gets_into_the_log(tmp_path: Path) -> None:
    pi = with_token(tmp_path / "pi")
    save(pi, AHEAD)
    pi.log = Log(tmp_path / "log")
    rotation.load(pi)
    pi.log.line(f"{OLD} and {NEW}")
    assert OLD not in (tmp_path / "log").read_text()
    assert NEW not in (tmp_path / "log").read_text()
