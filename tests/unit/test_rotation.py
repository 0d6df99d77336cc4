"""kubepi/decide/rotation.py: whose adverts count while the token is changed, rule by rule."""

import pytest

from kubepi.decide.adverts import Advert, encode
from kubepi.decide.credentials import advert_key
from kubepi.decide.rotation import (
    Offer,
    Tokens,
    Trust,
    begin,
    follow,
    heard,
    judge,
    read_mark,
    settle,
    to_ask_with,
)
from kubepi.errors import UsageError

FIRST = Tokens("one")
KNOWN = frozenset({"a", "b", "c"})
AHEAD = begin(FIRST, "two", KNOWN)
LOW, HIGH = sorted((AHEAD, begin(FIRST, "zwei", KNOWN)), key=lambda tokens: tokens.mark)


def said(tokens: Tokens, node: str = "a") -> bytes:
    before = advert_key(tokens.before) if tokens.before else None
    return encode(Advert(node_id=node, token=tokens.word), advert_key(tokens.token), before)


@pytest.mark.parametrize(
    ("hearer", "sender", "node", "trust"),
    [
        (FIRST, FIRST, "a", Trust.OURS),
        (FIRST, FIRST, "stranger", Trust.OURS),
        (FIRST, AHEAD, "a", Trust.AHEAD),
        (AHEAD, AHEAD, "a", Trust.OURS),
        (AHEAD, FIRST, "a", Trust.BEHIND),
        (AHEAD, FIRST, "stranger", Trust.NOT),
        (LOW, HIGH, "a", Trust.APART),
        (HIGH, LOW, "a", Trust.APART),
        (LOW, HIGH, "stranger", Trust.NOT),
        (settle(AHEAD, KNOWN), FIRST, "a", Trust.NOT),
        (FIRST, settle(AHEAD, KNOWN), "a", Trust.NOT),
        (heard(AHEAD, Trust.OURS, "a", ""), FIRST, "a", Trust.NOT),
        (FIRST, Tokens("other"), "a", Trust.NOT),
    ],
)  # fmt: skip
def test_who_is_believed(hearer: Tokens, sender: Tokens, node: str, trust: Trust) -> None:
    assert judge(hearer, said(sender, node), node, KNOWN) is trust


def test_a_first_token_has_no_mark_and_a_mark_tells_no_token() -> None:
    assert FIRST.word == ""
    assert read_mark(AHEAD.word) == AHEAD.mark
    assert AHEAD.mark[0] == 2
    assert AHEAD.mark != begin(FIRST, "zwei", KNOWN).mark
    for tokens in (FIRST, AHEAD):
        assert "one" not in repr(tokens)
        assert "two" not in repr(tokens)


@pytest.mark.parametrize("word", ["", "2", "0.abcdef", "2.abcde", "2.ABCDEF", "1000.abcdef", "x"])
def test_what_is_no_mark(word: str) -> None:
    assert read_mark(word) is None


def test_the_last_change_has_to_reach_everybody_first() -> None:
    with pytest.raises(UsageError, match="has not reached 3 nodes yet") as caught:
        begin(AHEAD, "three", KNOWN)
    assert "kubepi doctor" in caught.value.hint
    assert begin(settle(AHEAD, KNOWN), "three", KNOWN).number == 3


def test_who_knows_nobody_waits_for_nobody() -> None:
    assert begin(FIRST, "two", ()) == Tokens("two", 2)


def test_who_is_heard_with_the_token_is_not_waited_for() -> None:
    left = heard(AHEAD, Trust.OURS, "a", AHEAD.word)
    assert left.waiting == {"b", "c"}
    gone_on = heard(AHEAD, Trust.AHEAD, "a", "9.abcdef")
    assert gone_on == left, "who went on had it; the word is that of another token"
    for trust in (Trust.BEHIND, Trust.APART, Trust.NOT):
        assert heard(AHEAD, trust, "a", "") == AHEAD


def test_the_old_one_goes_with_the_last_who_is_waited_for() -> None:
    assert settle(AHEAD, ()) == AHEAD
    left = AHEAD
    for node in sorted(KNOWN):
        assert left.before == "one"
        left = heard(left, Trust.OURS, node, "")
    assert left == settle(AHEAD, KNOWN) == Tokens("two", 2)
    assert settle(AHEAD, {"b", "c"}) == Tokens("two", 2, "one", frozenset({"a"}))
    assert settle(FIRST, KNOWN) == FIRST


def test_a_newer_token_is_fetched_with_the_one_that_both_have() -> None:
    assert to_ask_with(FIRST, Trust.AHEAD, AHEAD.word) == "one"
    assert to_ask_with(LOW, Trust.APART, HIGH.word) == "one"
    assert to_ask_with(HIGH, Trust.APART, LOW.word) is None
    assert to_ask_with(AHEAD, Trust.OURS, AHEAD.word) is None
    assert to_ask_with(AHEAD, Trust.BEHIND, "") is None
    assert to_ask_with(FIRST, Trust.BEHIND, AHEAD.word) is None


def test_no_second_change_is_followed_while_somebody_has_the_token_before() -> None:
    """There would be no place for the first token, which one that is off has still."""
    settled = settle(AHEAD, KNOWN)
    third = begin(settled, "three", {"a"})
    assert judge(AHEAD, said(third), "d", KNOWN) is Trust.AHEAD
    assert to_ask_with(AHEAD, Trust.AHEAD, third.word) is None
    assert follow(AHEAD, Offer("three", 3), KNOWN, "two") == AHEAD
    assert to_ask_with(settled, Trust.AHEAD, third.word) == "two"
    assert follow(settled, Offer("three", 3), KNOWN, "two").token == "three"


def test_whom_the_giver_heard_with_it_need_not_be_waited_for() -> None:
    """Such a one may have given the token before up, and would never be believed with that."""
    got = follow(FIRST, Offer("two", 2, frozenset({"b"})), {"a", "b"}, "one")
    assert got.waiting == {"a"}


def test_who_fetched_it_waits_for_all_whom_it_knows() -> None:
    got = follow(FIRST, Offer("two", 2), {"a", "b", "d"}, "one")
    assert got == Tokens("two", 2, "one", frozenset({"a", "b", "d"}))
    assert follow(got, Offer("one", 1), {"a"}, "two") == got
    assert follow(got, Offer("three", 3), {"a"}, "none of its") == got
    assert follow(FIRST, Offer("two", 2), (), "one") == Tokens("two", 2)


def test_a_token_that_was_typed_in_learns_its_number() -> None:
    typed = Tokens("two")
    assert judge(typed, said(settle(AHEAD, KNOWN)), "a", KNOWN) is Trust.OURS
    assert heard(typed, Trust.OURS, "a", AHEAD.word) == Tokens("two", 2)
