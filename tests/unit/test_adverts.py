"""kubepi/decide/adverts.py: adverts there and back, the MAC over every byte, records of anybody."""

from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubepi.decide.adverts import (
    LARGEST,
    LONGEST,
    MAC_KEY,
    WIRE,
    Advert,
    decode,
    encode,
    is_signed,
    is_signed_too,
    mac,
    split,
)

KEY, OTHER = bytes(range(32)), b"o" * 32
ADVERT = Advert(
    cluster_id="f6391775", cluster="home", node="pi1", node_id="0123456789abcdef",
    address="192.168.1.20", board="Raspberry Pi 5", role="master", state="ready",
    progress="40 % images", endpoint="home.kubepi.internal:6443", ca_hash="sha256:" + "a" * 64,
    kubernetes="v1.36.3", time=1_795_219_200, sequence=1001, rank="m1", vote="1.2.3", wish="w",
)  # fmt: skip
# What the longest names, numbers and versions that a node can have come to.
WIDEST = Advert(
    cluster_id="f" * 8, cluster="c" * 63, node="n" * 63, node_id="f" * 16,
    address="192.168.100.200", board="b" * 90, role="master", state="starting",
    progress="p" * 90, endpoint=f"{'c' * 63}.kubepi.internal:6443",
    ca_hash="sha256:" + "a" * 64, kubernetes="v1.370.1000", time=10**15 - 1, sequence=10**15 - 1,
    rank="r" * 90, vote="v" * 300, share=f"192.168.100.200:/{'p' * 39} /{'m' * 39}", wish="w" * 300,
    answer="f" * 16,
    token="999.abcdef",
    life=10**10 - 1,
)  # fmt: skip
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


def signed(*strings: bytes, key: bytes = KEY) -> bytes:
    body = b"".join(bytes([len(string)]) + string for string in strings)
    last = f"{MAC_KEY}={mac(body, key)}".encode()
    return body + bytes([len(last)]) + last


def test_there_and_back() -> None:
    record = encode(ADVERT, KEY)
    assert decode(record) == ADVERT
    assert is_signed(record, KEY)


@given(st.builds(Advert, node_id=st.text("0af", min_size=1, max_size=16), node=printable,
                 cluster=printable, role=st.text("masterwk", max_size=8), progress=printable,
                 sequence=st.integers(0, 10**15 - 1), time=st.integers(0, 10**15 - 1)))  # fmt: skip
def test_any_printable_advert_comes_back(advert: Advert) -> None:
    back = decode(encode(advert, KEY))
    # what is empty is left out, and then the default counts
    assert back == replace(advert, role=advert.role or "none")


def test_an_empty_advert_is_none_at_all() -> None:
    """Without a node id nobody can say whose it is."""
    assert decode(encode(Advert(), KEY)) is None


@given(st.integers(0, len(encode(ADVERT, KEY)) - 1), st.integers(1, 255))
def test_any_flipped_byte_breaks_the_mac(place: int, bits: int) -> None:
    record = bytearray(encode(ADVERT, KEY))
    record[place] ^= bits
    assert not is_signed(bytes(record), KEY)


@given(st.binary(min_size=1, max_size=64).filter(lambda key: key.rstrip(b"\0") != KEY))
def test_another_key_breaks_the_mac(key: bytes) -> None:
    assert not is_signed(encode(ADVERT, KEY), key)


@given(st.integers(0, len(encode(ADVERT, KEY)) - 1))
def test_a_shortened_record_is_not_signed(length: int) -> None:
    assert not is_signed(encode(ADVERT, KEY)[:length], KEY)


@pytest.mark.parametrize(
    "behind", [b"\x00", b"\x03r=x", bytes([2]) + b"x="], ids=["empty", "role", "bare"]
)
def test_nothing_may_stand_behind_the_mac(behind: bytes) -> None:
    assert not is_signed(encode(ADVERT, KEY) + behind, KEY)


@given(st.binary(max_size=2 * LARGEST + 10))
def test_malformed_records_never_raise(record: bytes) -> None:
    assert decode(record) is None or split(record) is not None
    assert not is_signed(record, KEY)


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_records_of_any_strings_never_raise(strings: list[bytes]) -> None:
    found = decode(signed(b"v=1", b"i=aa", *strings))
    assert found is None or found.node_id == "aa"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\x05v=1",  # a length that leads over the end
        signed(b"i=aa"),
        signed(b"v=2", b"i=aa"),
        signed(b"v=1"),
        signed(b"v=1", b"i="),
        signed(b"v=1", b"i=aa", *[b"x=" + b"y" * 250] * 9),
    ],
    ids=["nothing", "overlong", "no format", "format 2", "no id", "empty id", "huge"],
)
def test_what_is_no_advert(record: bytes) -> None:
    assert decode(record) is None


@pytest.mark.parametrize("text", ["-1", "1" * 16, "", "1.5", " 1", "0x1", "\u0661", "inf"])
@pytest.mark.parametrize("key", ["q", "t"])
def test_numbers_out_of_range_are_refused(key: str, text: str) -> None:
    assert decode(signed(b"v=1", b"i=aa", f"{key}={text}".encode())) is None


def test_the_largest_number_is_taken() -> None:
    found = decode(signed(b"v=1", b"i=aa", b"q=" + b"9" * 15))
    assert found is not None
    assert found.sequence == 10**15 - 1


def test_the_first_of_two_equal_keys_wins() -> None:
    found = decode(signed(b"v=1", b"i=aa", b"n=first", b"n=second", b"x=1", b"x=2"))
    assert found is not None
    assert found.node == "first"
    assert found.unknown == {"x": "1"}


def test_unknown_fields_survive_and_are_signed() -> None:
    record = signed(b"v=1", b"i=aa", b"zz=of a newer kubepi", b"flag")
    found = decode(record)
    assert found is not None
    assert found.unknown == {"zz": "of a newer kubepi"}
    assert is_signed(record, KEY)
    assert not is_signed(record.replace(b"newer", b"older"), KEY)


def test_control_characters_are_made_printable() -> None:
    found = decode(signed(b"v=1", b"i=aa", b"n=a\x1b[31m\nb\x00", b"b=\xff\xc3\xbc"))
    assert found is not None
    assert found.node == "a?[31m?b?"
    assert found.board == "\N{REPLACEMENT CHARACTER}ü"


def test_the_widest_advert_of_a_node_fits_one_frame() -> None:
    record = encode(WIDEST, KEY)
    assert len(record) <= LARGEST
    strings = split(record)
    assert strings is not None
    assert len(strings) == len(WIRE) + 1
    assert is_signed(record, KEY)
    back = decode(record)
    assert back is not None
    assert back.endpoint == WIDEST.endpoint
    assert len(back.wish) == LONGEST["wish"]


def test_an_advert_with_all_fields_overlong_fits_one_frame() -> None:
    """Else its answer to a question is a question itself (lan/direct.py)."""
    texts = {f.name: "x" * 300 for f in fields(Advert) if f.type is str and f.name != "format"}
    assert len(encode(Advert(**texts), KEY, OTHER)) <= LARGEST  # type: ignore[arg-type]


def test_a_second_key_signs_all_but_the_first_ones_mac() -> None:
    record = encode(ADVERT, KEY, OTHER)
    assert is_signed(record, KEY)
    assert is_signed_too(record, OTHER)
    assert not is_signed(record, OTHER)
    assert not is_signed_too(record, KEY)
    assert decode(record) == ADVERT
    assert not is_signed_too(encode(ADVERT, KEY), KEY)


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=3))
def test_what_was_changed_is_signed_by_neither(place: int, other: bytes) -> None:
    """The first key's MAC itself is all that the second one does not cover."""
    record = encode(ADVERT, KEY, OTHER)
    place %= len(record)
    changed = record[:place] + other + record[place + len(other) :]
    if changed != record:
        assert not is_signed(changed, KEY)
        assert not is_signed_too(changed, OTHER) or decode(changed) == ADVERT


@pytest.mark.parametrize("last", [b"w=1", b"flag", b"", b"o=x"])
def test_nothing_but_a_mac_comes_behind_the_second_signature(last: bytes) -> None:
    """Else who has no key could add a field that the advert does not have."""
    record = encode(ADVERT, KEY, OTHER)
    strings = split(record)
    assert strings is not None
    position = strings[-1][0]
    assert is_signed_too(record[:position] + b"\x02m=", OTHER)
    assert not is_signed_too(record[:position] + bytes([len(last)]) + last, OTHER)


@given(st.text(max_size=300), st.text(max_size=300))
@example("ü" * 200, "x" + "ü" * 200)
def test_every_string_has_at_most_255_bytes_and_is_cut_between_characters(
    node: str, progress: str
) -> None:
    record = encode(Advert(node_id="aa", node=node, progress=progress), KEY)
    strings = split(record)
    assert strings is not None
    assert max(len(string) for _, string in strings) <= 255
    for _, string in strings:
        assert string.decode()


def test_the_wire_has_a_short_key_for_every_field() -> None:
    assert set(WIRE) == {f.name for f in fields(Advert)} - {"unknown"}
    assert len(set(WIRE.values())) == len(WIRE)
    assert MAC_KEY not in WIRE.values()
