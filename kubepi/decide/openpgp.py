"""The fingerprint of an armoured OpenPGP key, so that a key can be pinned; pure."""

import base64
import hashlib


def fingerprint(armoured: str) -> str:
    """40 hex digits of the first (version 4) public key, or "" where there is none.

    RFC 4880 sections 4.2 (packet headers), 6.2 (armour) and 12.2 (fingerprint).
    """
    block = "PGP PUBLIC KEY BLOCK-----"
    _, found, rest = armoured.replace("\r", "").partition(f"-----BEGIN {block}")
    body, ended, _ = rest.partition(f"-----END {block}")
    if not found or not ended or "\n\n" not in body:
        return ""
    lines = body.split("\n\n", 1)[1].split()
    try:
        data = base64.b64decode("".join(line for line in lines if not line.startswith("=")))
    except ValueError:  # binascii.Error is one
        return ""
    packet = _first_packet(data)
    # the length of what is hashed has two bytes
    if packet is None or len(packet) > 0xFFFF:
        return ""
    return hashlib.sha1(b"\x99" + len(packet).to_bytes(2) + packet).hexdigest().upper()


def _first_packet(data: bytes) -> bytes | None:
    """Body of the first packet if it is a version 4 public key."""
    if len(data) < 6 or not data[0] & 0x80:
        return None
    if data[0] & 0x40:  # new format
        tag, start = data[0] & 0x3F, 2
        length = data[1]
        if 192 <= length < 224:
            length, start = ((data[1] - 192) << 8) + data[2] + 192, 3
        elif length == 255:
            length, start = int.from_bytes(data[2:6]), 6
    else:
        tag = (data[0] >> 2) & 0x0F
        width = {0: 1, 1: 2, 2: 4}.get(data[0] & 3, 0)
        start, length = 1 + width, int.from_bytes(data[1 : 1 + width])
    body = data[start : start + length]
    return body if tag == 6 and len(body) == length and body[:1] == b"\x04" else None
