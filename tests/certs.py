"""Certificates of the form that kubepi reads, with any dates; nobody signed them."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address

BEGINS, YEAR = 1_790_000_000.0, 365 * 86400.0  # some months before the time of a FakePi
ENDS = BEGINS + YEAR
ALT_NAMES = bytes.fromhex("0603551d11")  # the OID 2.5.29.17 (RFC 5280, section 4.2.1.6)


def der(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    length = len(body)
    head = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2)
    return bytes([tag]) + head + body


def time_of(seconds: float) -> bytes:
    """UTCTime to the end of 2049, GeneralizedTime from then on (RFC 5280, section 4.1.2.5)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    kind, form = (0x17, "%y%m%d%H%M%SZ") if moment.year < 2050 else (0x18, "%Y%m%d%H%M%SZ")
    return der(kind, moment.strftime(form).encode())


def certificate(
    begins: float = BEGINS, ends: float = ENDS, addresses: Sequence[str] = (),
    critical: bytes = b"",
) -> str:
    """PEM with all fields of a certificate, for localhost and these addresses."""
    sequence = der(0x30, b"")
    validity = der(0x30, time_of(begins), time_of(ends))
    key = der(0x30, sequence, der(0x03, b"\0key"))
    number = der(0x02, b"\1")
    names = [der(0x82, b"localhost"), *(der(0x87, IPv4Address(ip).packed) for ip in addresses)]
    about = der(0x30, ALT_NAMES, critical, der(0x04, der(0x30, *names)))
    extensions = der(0xA3, der(0x30, about))
    signed = der(
        0x30, der(0xA0, number), number, sequence, sequence, validity, sequence, key, extensions
    )
    text = base64.encodebytes(der(0x30, signed, sequence, der(0x03, b"\0"))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


KEY = "-----BEGIN EC PRIVATE KEY-----\nnone\n-----END EC PRIVATE KEY-----\n"


def kubeconfig(name: str, begins: float = BEGINS, ends: float = ENDS) -> str:
    """With credentials in it, told from others by the name of its file."""
    parts = (certificate(begins, ends), KEY)
    data = [base64.b64encode(part.encode()).decode() for part in parts]
    return (
        f"kind: Config\nusers:\n- name: {name}\n  user:\n"
        f"    client-certificate-data: {data[0]}\n    client-key-data: {data[1]}\n"
    )
