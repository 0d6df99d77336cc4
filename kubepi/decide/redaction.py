"""What has the shape of a secret, taken out of text that leaves the cluster; pure.

The second net: known secrets are taken out by their value before (log.py), and what is known to
hold some is not collected at all. It takes too much rather than too little.
Tests: tests/unit/test_redaction.py.
"""

import re

from kubepi.log import HIDDEN

SHAPES = (
    # a private key, whole or cut off
    r"""-----BEGIN [A-Z ]*PRIVATE KEY-----[^"']*?"""
    r"""(?:-----END [A-Z ]*PRIVATE KEY-----|(?=["'])|\Z)""",
    # a bootstrap token: kubernetes.io, "Authenticating with Bootstrap Tokens"
    r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b",
    # a service account's token: three parts of base64, the first of which begins with {"
    r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    # a password's hash as crypt(5) writes it
    r"\$(?:y|gy|7|2[abxy]|6|5|1)\$[\w./$=,+-]{8,}",
    # user and password of a proxy or repository
    r"""(?<=://)[^\s/"']+(?=@)""",
)
NAME = (
    r"[\w.-]*(?:token|passw(?:or)?d|passphrase|psk|secret|credentials?|auth(?:orization)?"
    r"|(?:private|secret|api|certificate)[_-]?key|key-data)"
)
# what is before a value, and the value
VALUES = (
    (rf"--{NAME}[ =]", r"\S+"),
    (rf"""{NAME}\\+["']\s*:\s*\\+["']""", r"""(?:(?!\\+["']).)*"""),  # JSON in a text of JSON
    (rf"""{NAME}["']?\s*[:=]\s*\"""", r"""(?:[^"\\\n]|\\.)*"""),
    (rf"""{NAME}["']?\s*[:=]\s*'""", r"""[^'\n]*"""),
    (rf"^\s*(?:- )?{NAME}:[ ]+", r"""(?!null\b)[^\s"'{\[].*$"""),  # YAML, without quotes
    (
        rf"{NAME}\s*[:=]\s*(?:(?:basic|bearer)\s+)?",
        r"""(?!null\b|true\b|false\b)[^\s"'\\,{}\[\]]+""",
    ),
)
PATTERNS = (
    *(re.compile(f"(){shape}") for shape in SHAPES),
    *(re.compile(f"({before}){value}", re.IGNORECASE | re.MULTILINE) for before, value in VALUES),
)


def redact(text: str) -> str:
    """The same text, with [secret] for each of them; JSON stays JSON."""
    for pattern in PATTERNS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def words_of(secret: str) -> list[str]:
    """The parts of a secret file by which it would be known in another text: lines, values."""
    return [word for word in re.findall(r"""[^\s"',{}\[\]]{8,}""", secret) if "-----" not in word]
