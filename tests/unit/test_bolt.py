"""kubepi/decide/bolt.py: a database that is cut off is told from a whole one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.bolt import HEADER, META, NEEDED, _fnv1a, problem


def meta(page_size: int, pages: int, transaction: int) -> bytes:
    body = struct.pack(
        "<IIIIQQQQQ", 0xED0CDAED, 2, page_size, 0, 3, 0, 2, pages, transaction
    )
    return (b"\0" * HEADER + body + struct.pack("<Q", _fnv1a(body))).ljust(page_size, b"\0")


def database(page_size: int = 4096, pages: int = 100) -> bytes:
    return meta(page_size, pages - 10, 6) + meta(page_size, pages, 7)


def test_the_sum_is_fnv1a() -> None:
    """Vectors of draft-eastlake-fnv, appendix C."""
    assert _fnv1a(b"") == 0xCBF29CE484222325
    assert _fnv1a(b"foobar") == 0x85944171F73967E8
    assert META.size == 64


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_all_pages_of_the_newer_meta_have_to_be_there(page_size: int) -> None:
    start = database(page_size)[:NEEDED]
    assert problem(start, 100 * page_size) is None
    assert problem(start, 4000 * page_size) is None
    assert "cut off" in (problem(start, 100 * page_size - 1) or "")


def test_a_torn_meta_leaves_the_other_one() -> None:
    """bbolt writes them in turn, so that a power cut spoils one at most."""
    torn = meta(4096, 90, 6) + b"\xff" * 4096
    assert problem(torn, 90 * 4096) is None
    assert problem(b"\xff" * 4096 + meta(4096, 100, 7), 99 * 4096) is not None


def test_what_is_no_database_is_said_to_be_none() -> None:
    assert problem(b"", 0) == problem(b"x" * NEEDED, 10**6) == "it does not begin like a database"


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(start: bytes) -> None:
    assert problem(start, len(start)) is not None
