"""kubepi/lan/aead.py: what was sealed opens again, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.errors import KubepiError
from kubepi.lan.aead import TAG, seal, unseal

KEY, NONCE = bytes(range(32)), bytes(12)


def test_the_cipher_is_that_of_the_rfc() -> None:
    """RFC 8439, section 2.8.2."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes.fromhex("070000004041424344454647")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    # it has twelve bytes of additional data, which change the tag alone
    body = seal(key, nonce, text)[:-TAG]
    assert body.hex().startswith("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6")
    assert body.hex().endswith("3ff4def08e4b7a9de576d26586cec64b6116")


@given(st.binary(max_size=300))
def test_what_was_sealed_opens(plain: bytes) -> None:
    sealed = seal(KEY, NONCE, plain)
    assert len(sealed) == len(plain) + TAG
    assert unseal(KEY, NONCE, sealed) == plain


@given(st.binary(max_size=100), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_opens_nothing(plain: bytes, place: int, change: int) -> None:
    sealed = bytearray(seal(KEY, NONCE, plain))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(KubepiError, match="not sealed with our key"):
        unseal(KEY, NONCE, bytes(sealed))


def test_another_key_or_nonce_opens_nothing() -> None:
    sealed = seal(KEY, NONCE, b"text")
    for key, nonce in ((KEY[::-1], NONCE), (KEY, bytes([1, *NONCE[1:]]))):
        with pytest.raises(KubepiError):
            unseal(key, nonce, sealed)
    with pytest.raises(KubepiError, match="cut off"):
        unseal(KEY, NONCE, b"short")
