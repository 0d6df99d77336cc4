"""The fingerprint of an armoured OpenPGP key, so that a key can be pinned; pure."""

import base64
import hashlib
from collections.abc import Iterator

PUBLIC_KEY = 6  # the tag of a primary key; its subkeys have another


def fingerprint(armoured: str) -> str:
    """40 hex digits of the one (version 4) public key in the text.

    "" where there is none, and where there is more than one: apt would trust them all.
    RFC 4880 sections 4.2 (packet headers), 6.2 (armour) and 12.2 (fingerprint).
    """
    block = "PGP PUBLIC KEY BLOCK-----"
    _, found, rest = armoured.replace("\r", "").partition(f"-----BEGIN {block}")
    body, ended, behind = rest.partition(f"-----END {block}")
    if not found or not ended or "\n\n" not in body or "-----BEGIN" in behind:
        return ""
    lines = body.split("\n\n", 1)[1].split()
    try:
        data = base64.b64decode("".join(line for line in lines if not line.startswith("=")))
        keys = [packet for tag, packet in _packets(data) if tag == PUBLIC_KEY]
    except ValueError:  # binascii.Error is one
        return ""
    # the length of what is hashed has two bytes
    if len(keys) != 1 or keys[0][:1] != b"\x04" or len(keys[0]) > 0xFFFF:
        return ""
    return hashlib.sha1(b"\x99" + len(keys[0]).to_bytes(2) + keys[0]).hexdigest().upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet.

    Raises:
        ValueError: the data is cut off, or has a length of a kind that keys do not have.
    """
    position = 0
    while position < len(data):
        tag, start, length = _header(data[position : position + 6])
        body = data[position + start : position + start + length]
        if len(body) != length:
            raise ValueError("cut off")
        yield tag, body
        position += start + length


def _header(data: bytes) -> tuple[int, int, int]:
    """Tag, size of the header and length of the body."""
    if len(data) < 2 or not data[0] & 0x80:
        raise ValueError("no packet")
    if data[0] & 0x40:  # new format
        tag, first = data[0] & 0x3F, data[1]
        if first < 192:
            return tag, 2, first
        if first < 224 and len(data) > 2:
            return tag, 3, ((first - 192) << 8) + data[2] + 192
        if first == 255:
            return tag, 6, int.from_bytes(data[2:6])
        raise ValueError("a partial length")
    width = {0: 1, 1: 2, 2: 4}.get(data[0] & 3)
    if width is None:
        raise ValueError("an indeterminate length")
    return (data[0] >> 2) & 0x0F, 1 + width, int.from_bytes(data[1 : 1 + width])
