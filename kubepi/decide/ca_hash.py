"""The pin of a CA certificate as kubeadm wants it; pure.

sha256 over the DER SubjectPublicKeyInfo (kubeadm types.go, CACertHashes; RFC 7469 form).
"""

import hashlib
from functools import lru_cache

from kubepi.decide.der import fields


@lru_cache(maxsize=8)  # the agent asks every second, of a file that stays as it is
def ca_hash(pem: str) -> str:
    """`sha256:<hex>` of the first certificate in `pem`; "" where there is none."""
    found = fields(pem)
    return "" if found is None else f"sha256:{hashlib.sha256(found.public_key).hexdigest()}"
