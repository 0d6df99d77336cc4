"""Votes and ranks on the wire: they come back as they were, and nonsense is no vote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.adverts import LONGEST
from kubepi.decide.votes import (
    Ballot,
    Vote,
    read_rank,
    read_vote,
    write_rank,
    write_vote,
)

ids = st.text("0123456789abcdef", min_size=1, max_size=16)
numbers = st.integers(0, 999_999)
ballots = st.builds(Ballot, numbers, st.integers(1, 999_999), ids)


@st.composite
def votes(draw: st.DrawFn) -> Vote:
    low, high = sorted([draw(ballots), draw(ballots)])
    accepted, choice = draw(st.sampled_from([(Ballot(), ""), (low, draw(ids))]))
    return Vote(high, accepted, choice, draw(st.just("") | ids), draw(numbers))


@given(votes())
def test_a_vote_comes_back_as_it_was_and_fits_its_field(vote: Vote) -> None:
    text = write_vote(vote)
    assert read_vote(text) == vote
    assert len(text) <= LONGEST["vote"]


def test_nobody_has_voted_yet() -> None:
    assert write_vote(Vote()) == "0.0./0.0.///0"
    assert read_vote("0.0./0.0.///0") == Vote()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.0./0.0.//0",  # a field is missing
        "0.0./0.0.///-1",
        "0.0./0.0.///٣",  # a digit, but not one of ours
        "0.1.xyz/0.0.///0",  # no id
        "0.1.aa/0.2.aa/bb//0",  # accepted what it did not promise
        "0.2.aa/0.1.aa///0",  # accepted nobody
        "0.2.aa/0.0./bb//0",  # chose nobody's ballot
        "0.1234567.aa/0.0.///0",
    ],
)
def test_what_nobody_can_have_cast_is_no_vote(text: str) -> None:
    assert read_vote(text) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    vote = read_vote(text)
    assert vote is None or read_vote(write_vote(vote)) == vote
    rank = read_rank(text)
    assert rank is None or read_rank(write_rank(rank)) == rank


RANKS = [(None, ""), ((1,), "1"), ((2, 1, 0, 9300), "2.1.0.9300")]


@pytest.mark.parametrize(("rank", "text"), RANKS)
def test_a_rank_comes_back_as_it_was(rank: tuple[int, ...] | None, text: str) -> None:
    assert write_rank(rank) == text
    assert read_rank(text) == rank
