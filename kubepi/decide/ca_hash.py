"""The pin of a CA certificate as kubeadm wants it; pure.

sha256 over the DER SubjectPublicKeyInfo (kubeadm types.go, CACertHashes; RFC 7469 form).
"""

import base64
import hashlib

SEQUENCE, INTEGER, VERSION, BIT_STRING = 0x30, 0x02, 0xA0, 0x03


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


def first_certificate(pem: str) -> bytes:
    """The first certificate in `pem`, as DER.

    Raises:
        ValueError: there is none.
    """
    _, found, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    body, ended, _ = rest.partition("-----END CERTIFICATE-----")
    if not found or not ended:
        raise ValueError("no certificate")
    return base64.b64decode("".join(body.split()), validate=True)


def ca_hash(pem: str) -> str:
    """`sha256:<hex>` of the first certificate in `pem`; "" where there is none."""
    try:
        der = first_certificate(pem)
        position, end = _public_key(der)
    except ValueError:  # binascii.Error is one
        return ""
    return f"sha256:{hashlib.sha256(der[position:end]).hexdigest()}"


def _public_key(der: bytes) -> tuple[int, int]:
    """Where the SubjectPublicKeyInfo begins and ends in a certificate."""
    certificate, _ = tlv(der, 0, SEQUENCE)
    position, _ = tlv(der, certificate, SEQUENCE)
    if der[position : position + 1] == bytes([VERSION]):  # it is optional
        position = tlv(der, position)[1]
    position = tlv(der, position, INTEGER)[1]  # serial number
    for _ in range(4):  # algorithm, issuer, validity, subject
        position = tlv(der, position, SEQUENCE)[1]
    start, end = tlv(der, position, SEQUENCE)
    tlv(der, tlv(der, start, SEQUENCE)[1], BIT_STRING)
    return position, end
