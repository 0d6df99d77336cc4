"""The fields of an X.509 certificate, without a library: agents and Pis have none; pure.

DER is X.690; the order of a certificate's fields is RFC 5280, section 4.1. Tests:
tests/unit/test_ca_hash.py, tests/unit/test_certificates.py, tests/unit/test_address.py.
"""

import base64
from dataclasses import dataclass

SEQUENCE, INTEGER, VERSION, BIT_STRING = 0x30, 0x02, 0xA0, 0x03
EXTENSIONS = 0xA3


@dataclass(frozen=True)
class Fields:
    """What is signed in a certificate: the public key whole, of the others their content."""

    validity: bytes
    public_key: bytes
    extensions: bytes  # empty where there are none


def tlv(data: bytes, start: int, tag: int | None = None) -> tuple[int, int]:
    """Start and end of the content of the DER value at `start`.

    Raises:
        ValueError: it has another tag, or goes beyond the data.
    """
    if start + 2 > len(data) or tag not in (None, data[start]):
        raise ValueError("not the value that should be here")
    length, header = data[start + 1], 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start + 2 : start + 2 + count])
        header += count
    if start + header + length > len(data):
        raise ValueError("cut off")
    return start + header, start + header + length


def fields(pem: str) -> Fields | None:
    """Of the first certificate in `pem`; None where there is none."""
    _, found, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    body, ended, _ = rest.partition("-----END CERTIFICATE-----")
    if not found or not ended:
        return None
    try:
        return _fields(base64.b64decode("".join(body.split()), validate=True))
    except ValueError:  # binascii.Error is one
        return None


def _fields(der: bytes) -> Fields:
    certificate, _ = tlv(der, 0, SEQUENCE)
    position, signed = tlv(der, certificate, SEQUENCE)
    if der[position : position + 1] == bytes([VERSION]):  # it is optional
        position = tlv(der, position)[1]
    position = tlv(der, position, INTEGER)[1]  # serial number
    for _ in range(2):  # algorithm, issuer
        position = tlv(der, position, SEQUENCE)[1]
    validity = tlv(der, position, SEQUENCE)
    position = tlv(der, validity[1], SEQUENCE)[1]  # subject
    start, end = tlv(der, position, SEQUENCE)
    tlv(der, tlv(der, start, SEQUENCE)[1], BIT_STRING)
    public_key, extensions = der[position:end], b""
    while end < signed:  # identifiers that nobody gives any more, extensions
        position, (start, end) = end, tlv(der, end)
        if der[position] == EXTENSIONS:
            extensions = der[start:end]
    return Fields(der[slice(*validity)], public_key, extensions)
