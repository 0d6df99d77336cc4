"""kubepi/decide/credentials.py: tokens as they are typed, and fixed vectors of what they give.

The vectors were made with openssl dgst -sha256 -hmac: running clusters depend on them.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.credentials import (
    advert_key,
    bootstrap_token,
    certificate_key,
    cluster_id,
    new_token,
    normalise_token,
)
from kubepi.errors import UsageError

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
OTHER = "zzzzz-zzzzz-zzzzz-zzzzz-zzzzz-zzr9s"
randomness = st.binary(min_size=17, max_size=40)


def test_vectors() -> None:
    assert new_token(bytes(range(17))) == TOKEN
    assert new_token(b"\xff" * 17) == OTHER
    key = "d8b40fb591988010aae79929b31948fba3239b0ce4e0842c823a918c451c95bb"
    assert advert_key(TOKEN).hex() == key
    assert bootstrap_token(TOKEN) == "bj8xa3.hbna1dkxzwp3cz0r"
    assert (
        certificate_key(TOKEN) == "59974e1f897d173494119bf33806bff58c7b8df4d014922113c6839e1f39c35f"
    )
    assert cluster_id(TOKEN) == "f6391775"


def test_too_little_randomness_is_a_bug() -> None:
    with pytest.raises(ValueError, match="17 random bytes, got 16"):
        new_token(bytes(16))


@pytest.mark.parametrize(
    "typed",
    [
        f"  {TOKEN}\r\n",
        TOKEN.upper(),
        TOKEN.replace("-", ""),
        TOKEN.replace("-", " "),
        TOKEN.replace("-", " \N{EN DASH} "),
        f"\ufeff{TOKEN}\n",
        TOKEN.replace("0", "O").replace("1", "l"),
        TOKEN.replace("0", "o").replace("1", "I"),
    ],
)
def test_a_token_may_be_typed_in_many_ways(typed: str) -> None:
    assert normalise_token(typed) == TOKEN


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "too short: 0 characters where 30 belong"),
        (TOKEN[:-1], "too short: 29 characters"),
        (TOKEN + "0", "too long: 31 characters"),
        ("u" + TOKEN[1:], "a character that no token has, at place 1 "),
        (TOKEN[:7] + "%" + TOKEN[8:], "a character that no token has, at place 7 "),
        (TOKEN[:-1] + "m", "mistyped"),
        ("1" + TOKEN[1:], "mistyped"),
        (TOKEN[:3] + "80" + TOKEN[5:], "mistyped"),
    ],
)
def test_what_is_no_token_is_told_without_showing_it(typed: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalise_token(typed)
    assert sentence in caught.value.sentence
    assert caught.value.hint
    assert TOKEN[8:28] not in f"{caught.value.sentence} {caught.value.hint}"


@given(randomness)
def test_a_new_token_has_six_groups_and_reads_back(random: bytes) -> None:
    token = new_token(random)
    assert re.fullmatch("([0-9a-hjkmnp-tv-z]{5}-){5}[0-9a-hjkmnp-tv-z]{5}", token)
    assert normalise_token(token) == token


@given(st.text())
def test_any_text_is_a_token_or_a_usage_error(text: str) -> None:
    try:
        token = normalise_token(text)
    except UsageError:
        return
    assert normalise_token(token) == token


@given(randomness)
def test_derived_values_have_their_form_and_share_nothing(random: bytes) -> None:
    token = new_token(random)
    identifier, _, secret = bootstrap_token(token).partition(".")
    assert re.fullmatch("[a-z0-9]{6}", identifier)
    assert re.fullmatch("[a-z0-9]{16}", secret)
    assert re.fullmatch("[0-9a-f]{64}", certificate_key(token))
    assert len(advert_key(token)) == 32
    public = (identifier, cluster_id(token))
    hidden = (secret, certificate_key(token), advert_key(token).hex(), token)
    assert not [(seen, value) for seen in public for value in hidden if value.startswith(seen)]
    assert advert_key(token).hex() != certificate_key(token)
    other = new_token(bytes(byte ^ 1 for byte in random[:17]))
    assert bootstrap_token(other) != bootstrap_token(token)
