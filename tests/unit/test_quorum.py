"""kubepi/decide/quorum.py: which masters may stop, and which may leave for good."""

import pytest

from kubepi.decide.quorum import Member, keeps_quorum, may_leave, voters


def members(text: str) -> list[Member]:
    """`a b- c~`: a lives, b is dead, c is a learner."""
    return [
        Member(str(number), word[0], (), "~" in word, (), "-" not in word)
        for number, word in enumerate(text.split())
    ]


@pytest.mark.parametrize(
    ("there", "stopping", "leaving", "stops", "leaves"),
    [
        ("a", "a", "a", False, False),
        ("a b", "b", "b", False, True),
        ("a b-", "b", "b", False, True),
        ("a b-", "a", "a", False, False),
        ("a b c", "c", "c", True, True),
        ("a b c", "bc", "bc", False, True),
        ("a b c-", "c", "c", True, True),
        ("a b c-", "b", "b", False, False),
        ("a b~", "b", "b", True, True),
        ("a b c~", "b", "b", False, True),
        ("a b c d", "d", "d", True, True),
        ("a b c d", "cd", "cd", False, True),
        ("a b c d e", "de", "de", True, True),
    ],
)
def test_who_may_stop_and_who_may_leave(
    there: str, stopping: str, leaving: str, stops: bool, leaves: bool
) -> None:
    assert keeps_quorum(members(there), stopping) is stops
    assert may_leave(members(there), leaving) is leaves


def test_a_learner_does_not_vote() -> None:
    assert [member.name for member in voters(members("a b~ c-"))] == ["a", "c"]


def test_a_member_that_never_started_is_called_by_its_address() -> None:
    assert Member("1", "", ("https://10.0.0.3:2380",)).label == "10.0.0.3"
    assert Member("1", "pi3", ("https://10.0.0.3:2380",)).label == "pi3"
