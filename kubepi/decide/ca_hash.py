"""The pin of a CA certificate as kubeadm wants it; pure.

sha256 over the DER SubjectPublicKeyInfo (kubeadm types.go, CACertHashes; RFC 7469 form).
"""

import base64
import binascii
import hashlib


def _tlv(data: bytes, start: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the DER value at `start`."""
    length, header = data[start + 1], 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start + 2 : start + 2 + count])
        header += count
    return data[start], start + header, start + header + length


def ca_hash(pem: str) -> str:
    """`sha256:<hex>` of the first certificate in `pem`; "" where there is none."""
    _, found, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    body, ended, _ = rest.partition("-----END CERTIFICATE-----")
    if not found or not ended:
        return ""
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
        _, position, _ = _tlv(der, 0)  # Certificate
        _, position, _ = _tlv(der, position)  # tbsCertificate
        if der[position] == 0xA0:  # the version is optional
            position = _tlv(der, position)[2]
        for _ in range(5):  # serial, algorithm, issuer, validity, subject
            position = _tlv(der, position)[2]
        end = _tlv(der, position)[2]
    except (binascii.Error, IndexError):
        return ""
    return f"sha256:{hashlib.sha256(der[position:end]).hexdigest()}"
