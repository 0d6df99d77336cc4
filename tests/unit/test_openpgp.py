"""kubepi/decide/openpgp.py: fingerprints of keys packed by hand, and of anything else none."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.openpgp import fingerprint


def body(size: int = 0) -> bytes:
    """A version 4 public key: made in 2022, RSA, a modulus and an exponent (RFC 4880, 5.5.2)."""
    modulus = b"\x80" + bytes(range(127)) + b"\x01" * size
    bits = (len(modulus) * 8 % 65536).to_bytes(2)
    made, exponent = (1_660_000_000).to_bytes(4), b"\x00\x11\x01\x00\x01"
    return b"\x04" + made + b"\x01" + bits + modulus + exponent


def old_format(packet: bytes, tag: int = 6) -> bytes:
    width = 0 if len(packet) < 256 else 1 if len(packet) < 65536 else 2
    return bytes([0x80 | tag << 2 | width]) + len(packet).to_bytes(1 << width) + packet


def new_format(packet: bytes, tag: int = 6) -> bytes:
    size = len(packet)
    if size < 192:
        length = bytes([size])
    elif size < 8384:
        length = bytes([((size - 192) >> 8) + 192, (size - 192) & 0xFF])
    else:
        length = b"\xff" + size.to_bytes(4)
    return bytes([0xC0 | tag]) + length + packet


def armoured(data: bytes, headers: str = "", end: str = "\n") -> str:
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    rows = ["-----BEGIN PGP PUBLIC KEY BLOCK-----", *headers.splitlines(), "", *lines, "=AbCd",
            "-----END PGP PUBLIC KEY BLOCK-----", ""]  # fmt: skip
    return end.join(rows)


def wanted(packet: bytes) -> str:
    """RFC 4880, 12.2: SHA-1 over 0x99, the length in two bytes, and the packet's body."""
    return hashlib.sha1(b"\x99" + len(packet).to_bytes(2) + packet).hexdigest().upper()


@pytest.mark.parametrize("size", [0, 40, 60, 120, 1000, 9000])
@pytest.mark.parametrize("packed", [old_format, new_format])
def test_keys_of_all_sizes_in_both_formats(packed: Callable[[bytes], bytes], size: int) -> None:
    packet = body(size)
    # what follows in a key file: a user id
    assert fingerprint(armoured(packed(packet) + b"\xb4\x03abc")) == wanted(packet)


# gpg --batch --passphrase '' --quick-generate-key test@kubepi.invalid ed25519 sign never
GPG_KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawF+pRYJKwYBBAHaRw8BAQdAIcpOEUcp5kYtH95SZWKVzjKe9nOIcBPQZEmj
k0yN1um0E3Rlc3RAa3ViZXBpLmludmFsaWSIkAQTFggAOBYhBADpHSrWzK4cOsyr
bq+tBrCrpFEzBQJrAX6lAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEK+t
BrCrpFEzjvAA/3s7LZEIQHKF6u8/e0MzEDAmlzbvQf5C6nHGfD5Rr7UOAP9sW+7s
kJE6OU3hHlEmueOTc9p1O5aiXkdRk6dKoMhyDw==
=BaC1
-----END PGP PUBLIC KEY BLOCK-----
"""
GPG_FINGERPRINT = "00E91D2AD6CCAE1C3ACCAB6EAFAD06B0ABA45133"


def test_a_key_and_a_fingerprint_that_gpg_made() -> None:
    assert fingerprint(GPG_KEY) == GPG_FINGERPRINT


@pytest.mark.parametrize(
    ("headers", "end"),
    [("Version: GnuPG v2\nComment: isv", "\n"), ("", "\r\n"), ("Version: x", "\r\n")],
    ids=["headers", "CRLF", "both"],
)
def test_headers_and_line_ends_do_not_matter(headers: str, end: str) -> None:
    text = "some page before\n" + armoured(old_format(body()), headers, end) + "and behind"
    assert fingerprint(text) == wanted(body())


KEY = armoured(old_format(body()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>not found</html>",
        KEY.replace("BEGIN", "OPEN"),
        KEY.replace("-----END", "-----FINIS"),
        KEY.replace("PUBLIC", "PRIVATE"),
        armoured(b""),
        armoured(b"\x99"),
        armoured(old_format(body(), tag=5)),
        armoured(new_format(body(), tag=2)),
        armoured(old_format(b"\x03" + body()[1:])),
        armoured(old_format(body())[:-20]),
        armoured(b"\x19" + old_format(body())[1:]),
        KEY.replace("\n\n", "\n"),
        armoured(b"").replace("\n\n", "\n\nA"),
    ],
    ids=["nothing", "a page", "no begin", "no end", "private", "empty", "a byte", "a secret key",
         "a signature", "version 3", "cut off", "no packet", "no empty line", "bad base64"],
)  # fmt: skip
def test_what_has_no_fingerprint(text: str) -> None:
    assert fingerprint(text) == ""


ascii_text = st.text(st.characters(max_codepoint=127), max_size=200)


@given(ascii_text, st.binary(max_size=400))
def test_garbage_never_raises(text: str, data: bytes) -> None:
    assert fingerprint(text) == ""
    assert len(fingerprint(armoured(data))) in (0, 40)
    assert len(fingerprint(KEY.replace("=AbCd", text))) in (0, 40)


@given(st.integers(2, len(old_format(body())) - 1), st.integers(1, 255))
def test_another_byte_is_another_fingerprint(place: int, bits: int) -> None:
    """Behind the header of two bytes, which another header can replace."""
    data = bytearray(old_format(body()))
    data[place] ^= bits
    assert fingerprint(armoured(bytes(data))) != wanted(body())


@pytest.mark.parametrize("second", [
    armoured(old_format(body()) + old_format(body(7))),
    armoured(new_format(body()) + b"\xb4\x03abc" + new_format(body(7))),
    armoured(old_format(body())) + armoured(old_format(body(7))),
], ids=["behind it", "behind its user", "in a second block"])  # fmt: skip
def test_a_file_with_a_second_key_has_no_fingerprint(second: str) -> None:
    """Who stands between could send the true key, which is public, and their own behind it."""
    assert fingerprint(second) == ""


def test_letters_that_are_no_ascii_never_raise() -> None:
    assert fingerprint(KEY.replace("=AbCd", "ü")) == ""


def test_a_key_too_large_for_a_fingerprint_never_raises() -> None:
    assert fingerprint(armoured(old_format(body(70_000)))) == ""
