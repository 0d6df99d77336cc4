"""When a certificate ends, and when it is to be renewed; pure.

A certificate is due when a share of its life has passed: kubeadm's live for a year, and one that
lives for an hour is due in its last minutes. Tests: tests/unit/test_certificates.py.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from kubepi.decide.der import fields, tlv

RENEW_AT = 0.7  # of its life; kubelets renew theirs at 0.7 to 0.9 (client-go certificate_manager)
LAST_OF_CA = 0.9
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18


@dataclass(frozen=True)
class Certificate:
    """Its life, in seconds since 1970."""

    begins: float
    ends: float

    def is_due(self, now: float, share: float = RENEW_AT) -> bool:
        return now >= self.begins + share * (self.ends - self.begins)

    def has_ended(self, now: float) -> bool:
        return now >= self.ends

    def word(self, now: float) -> str:
        day = datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"ended on {day}" if self.has_ended(now) else f"ends on {day}"


def read_certificate(pem: str | None) -> Certificate | None:
    """The first one in `pem`; None where there is none that can be read."""
    found = fields(pem or "")
    if found is None:
        return None
    try:
        _, middle = tlv(found.validity, 0)
        return Certificate(_time(found.validity[:middle]), _time(found.validity[middle:]))
    except ValueError:
        return None


def _time(value: bytes) -> float:
    """Seconds since 1970 of a DER time.

    Raises:
        ValueError: it is none.
    """
    start, end = tlv(value, 0)
    text = value[start:end].decode("ascii")
    if value[0] == UTC_TIME:  # YYMMDDHHMMSSZ, until 2049 (RFC 5280, section 4.1.2.5.1)
        text = f"{'20' if text < '50' else '19'}{text}"
    elif value[0] != GENERALIZED_TIME:
        raise ValueError("not a time")
    if len(text) != 15 or not text.endswith("Z"):
        raise ValueError("not the time as it is in a certificate")
    return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").timestamp()


def credentials(kubeconfig: str | None) -> str | None:
    """Certificate and key, as PEM, that are embedded in a kubeconfig; None if they are not."""
    parts = []
    for name in ("client-certificate-data", "client-key-data"):
        found = re.search(rf"^\s*{name}: *(\S+) *$", kubeconfig or "", re.MULTILINE)
        if found is None:
            return None
        try:
            parts.append(base64.b64decode(found[1], validate=True).decode())
        except ValueError:  # UnicodeDecodeError is one
            return None
    return "".join(parts)


def is_older_copy(copy: str, of: str) -> bool:
    """Whether two kubeconfigs differ, but in their credentials only."""
    secret = re.compile(r"^(\s*client-(?:certificate|key)-data:).*$", re.MULTILINE)
    return copy != of and secret.sub(r"\1", copy) == secret.sub(r"\1", of)
