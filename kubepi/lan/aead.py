"""Sealing: ChaCha20-Poly1305 (RFC 8439), of the OpenSSL library that Python itself rests on.

Why this: python3 needs libssl3 on bookworm, trixie and Ubuntu 24.04 (libpython3-stdlib: depends),
so libcrypto.so.3 is wherever kubepi runs, and already in memory. `openssl enc` does no AEAD
(openssl-enc(1)) and is a process for each file; the kernel's AF_ALG needs a module, algif_aead,
that is not in every kernel. A Pi 4 has no AES instructions, and ChaCha20 needs none.
Tests: tests/unit/test_aead.py, with the vector of the RFC.
"""

import ctypes
from functools import cache

from kubepi.errors import KubepiError

LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")
TAG = 16
GET_TAG, SET_TAG = 0x10, 0x11  # openssl/evp.h: EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG


@cache
def _library() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        for function in ("EVP_CIPHER_CTX_new", "EVP_chacha20_poly1305"):
            getattr(library, function).restype = ctypes.c_void_p
        return library
    raise KubepiError(
        "OpenSSL's libcrypto is not there, so nothing can be sent encrypted",
        "sudo apt install openssl",
    )


def seal(key: bytes, nonce: bytes, plain: bytes) -> bytes:
    """`key`: 32 bytes, `nonce`: 12 that no other text has with this key."""
    return _run(key, nonce, plain, None)


def unseal(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """
    Raises:
        KubepiError: it was not sealed with this key and nonce.
    """
    if len(sealed) < TAG:
        raise KubepiError("what came is cut off", "")
    return _run(key, nonce, sealed[:-TAG], sealed[-TAG:])


def _run(key: bytes, nonce: bytes, text: bytes, tag: bytes | None) -> bytes:
    assert len(key) == 32 and len(nonce) == 12
    lib, verb = _library(), "Encrypt" if tag is None else "Decrypt"
    context = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(lib.EVP_chacha20_poly1305())
    out, length = ctypes.create_string_buffer(len(text) + 1), ctypes.c_int()
    mark = ctypes.create_string_buffer(tag or bytes(TAG), TAG)
    try:
        well = getattr(lib, f"EVP_{verb}Init_ex")(context, cipher, None, key, nonce) == 1
        if text:
            well &= getattr(lib, f"EVP_{verb}Update")(
                context, out, ctypes.byref(length), text, len(text)
            ) == 1  # fmt: skip
        if tag is not None:
            well &= lib.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, mark) == 1
        last = ctypes.create_string_buffer(TAG)
        well &= getattr(lib, f"EVP_{verb}Final_ex")(context, last, ctypes.byref(length)) == 1
        if tag is None:
            well &= lib.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, mark) == 1
    finally:
        lib.EVP_CIPHER_CTX_free(context)
    if not well:
        raise KubepiError("what came was not sealed with our key, or was changed on its way", "")
    return out.raw[: len(text)] + (mark.raw if tag is None else b"")
