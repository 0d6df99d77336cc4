"""Tokens go into cmdline.txt's one line and come out again, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.cmdline import missing_tokens, with_tokens, without_tokens

MEMORY = ("cgroup_enable=memory",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("root=/dev/sda rootwait\n", "root=/dev/sda rootwait cgroup_enable=memory\n"),
        ("root=/dev/sda rootwait", "root=/dev/sda rootwait cgroup_enable=memory"),
        ("rootwait \r\n", "rootwait cgroup_enable=memory \r\n"),
        ("rootwait\n\n", "rootwait cgroup_enable=memory\n\n"),
        ("", "cgroup_enable=memory"),
        ("cgroup_enable=memory rootwait\n", "cgroup_enable=memory rootwait\n"),
        # a token that only looks like it
        ("xcgroup_enable=memory\n", "xcgroup_enable=memory cgroup_enable=memory\n"),
        # Imager's clean-up cuts the line off at systemd.run
        (
            "rootwait systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot\n",
            "rootwait cgroup_enable=memory"
            " systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot\n",
        ),
        ("systemd.run=/x\n", "cgroup_enable=memory systemd.run=/x\n"),
        # only the first line is read by the firmware
        (
            "rootwait\ncgroup_enable=memory\n",
            "rootwait cgroup_enable=memory\ncgroup_enable=memory\n",
        ),
    ],
)
def test_added_once_and_taken_out_again(before: str, after: str) -> None:
    assert with_tokens(before, MEMORY) == after
    assert with_tokens(after, MEMORY) == after
    if before != after:
        assert without_tokens(after, MEMORY) == before


def test_several_tokens_keep_their_order() -> None:
    tokens = ("cgroup_enable=memory", "cfg80211.ieee80211_regdom=DE")
    text = with_tokens("rootwait\n", tokens)
    assert text == "rootwait cgroup_enable=memory cfg80211.ieee80211_regdom=DE\n"
    assert missing_tokens(text, tokens) == ()
    assert without_tokens(text, tokens) == "rootwait\n"


WORDS = st.text("abc=.,/_", min_size=1, max_size=8)
LINES = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(WORDS, max_size=6),
    st.sampled_from(["", "\n", " \n", "\r\n"]),
)


@given(LINES, st.lists(WORDS, min_size=1, max_size=3, unique=True))
def test_in_and_out_is_nothing(line: str, words: list[str]) -> None:
    tokens = tuple(words)
    added = missing_tokens(line, tokens)
    longer = with_tokens(line, tokens)
    assert missing_tokens(longer, tokens) == ()
    assert longer.count("\n") == line.count("\n")
    assert without_tokens(longer, added) == line
