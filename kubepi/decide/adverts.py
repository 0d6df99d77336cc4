"""Adverts: what a node says of itself on the LAN, encoded, signed and judged; pure.

An advert is the TXT record of a `_kubepi._tcp.local.` service: strings `key=value`, each with
its length before it (RFC 6763, section 6). The last one, `m`, is an HMAC-SHA256 over all bytes
before it, so fields that a newer kubepi adds are covered and carried too.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

FORMAT = "1"
LARGEST = 1100  # bytes; with the other records it must fit one Ethernet frame
MAC_KEY = "m"
BEFORE_KEY = "o"  # a second, short MAC with the token before, while somebody uses that still
SHORT = 12  # bytes of it
MACS = (MAC_KEY, BEFORE_KEY)

# Short names on the wire; the order of the fields of Advert is the order in the record.
WIRE = {
    "format": "v",
    "cluster_id": "c",
    "cluster": "cn",
    "node": "n",
    "node_id": "i",
    "address": "a",
    "board": "b",
    "role": "r",
    "state": "s",
    "progress": "p",
    "endpoint": "e",
    "ca_hash": "h",
    "kubernetes": "k",
    "time": "t",
    "sequence": "q",
    "rank": "rk",
    "vote": "vt",
    "share": "sh",
    "wish": "w",
    "answer": "an",
    "token": "g",
    "life": "l",
}
# Bytes of a value; all of them at their longest still fit LARGEST.
LONGEST = {
    "format": 4,
    "cluster_id": 8,
    "cluster": 63,
    "node": 63,
    "node_id": 16,
    "address": 15,
    "board": 40,
    "role": 8,
    "state": 12,
    "progress": 60,
    "endpoint": 84,
    "ca_hash": 71,
    "kubernetes": 12,
    "time": 15,
    "sequence": 15,
    "rank": 48,
    "vote": 160,
    "share": 97,
    "wish": 140,
    "answer": 16,
    "token": 10,
    "life": 10,
}


@dataclass(frozen=True)
class Advert:
    """One node's word about itself. `time`: seconds since 1970; `ca_hash`: sha256:<hex>.

    `answer`: the number of the last wish that is fulfilled, of those that wait for that.
    """

    cluster_id: str = ""
    cluster: str = ""
    node: str = ""
    node_id: str = ""
    address: str = ""
    board: str = ""
    role: str = "none"  # master, worker, none
    state: str = "new"  # new, electing, starting, joining, ready, leaving, disabled, upgrading …
    progress: str = ""
    endpoint: str = ""
    ca_hash: str = ""
    kubernetes: str = ""
    time: int = 0
    sequence: int = 0
    rank: str = ""
    vote: str = ""
    share: str = ""
    wish: str = ""
    answer: str = ""
    token: str = ""  # which of the cluster's tokens it uses (decide/rotation.py)
    life: int = 0  # of a master: when its cluster was restored last, seconds since 1970
    format: str = FORMAT
    unknown: Mapping[str, str] = field(default_factory=dict)


def _strings(pairs: Mapping[str, str]) -> bytes:
    encoded = [f"{key}={value}".encode() for key, value in pairs.items()]
    return b"".join(bytes([len(string)]) + string for string in encoded)


def _pairs(advert: Advert) -> dict[str, str]:
    pairs = {}
    for name, key in WIRE.items():
        value = str(getattr(advert, name))
        # cut by bytes, never in the middle of a character
        value = value.encode()[: LONGEST[name]].decode(errors="ignore")
        if value:
            pairs[key] = value
    return pairs


def mac(signed: bytes, key: bytes) -> str:
    digest = hmac.digest(key, b"kubepi advert 1\0" + signed, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def short_mac(signed: bytes, key: bytes) -> str:
    digest = hmac.digest(key, b"kubepi advert before 1\0" + signed, "sha256")[:SHORT]
    return base64.urlsafe_b64encode(digest).decode()


def encode(advert: Advert, key: bytes, before: bytes | None = None) -> bytes:
    """The TXT record, signed; also for those who have only the key `before`."""
    body = _strings(_pairs(advert))
    if before is not None:
        body += _strings({BEFORE_KEY: short_mac(body, before)})
    return body + _strings({MAC_KEY: mac(body, key)})


def split(record: bytes) -> list[tuple[int, bytes]] | None:
    """Offset and content of each string of a TXT record; None if the lengths do not add up."""
    strings, position = [], 0
    while position < len(record):
        length = record[position]
        end = position + 1 + length
        if end > len(record):
            return None
        strings.append((position, record[position + 1 : end]))
        position = end
    return strings


def decode(record: bytes) -> Advert | None:
    """What a record says, believed or not; None if it is not an advert at all."""
    strings = split(record)
    if strings is None or len(record) > 2 * LARGEST:
        return None
    values: dict[str, str] = {}
    for _, string in strings:
        key, found, value = string.partition(b"=")
        if found:
            # the first of two equal keys counts (RFC 6763 section 6.4)
            values.setdefault(key.decode(errors="replace"), value.decode(errors="replace"))
    if values.get("v") != FORMAT or not values.get("i"):
        return None
    names = {key: name for name, key in WIRE.items()}
    numbers = {f.name for f in fields(Advert) if f.type is int}
    known: dict[str, str | int] = {}
    for short, text in values.items():
        name = names.get(short)
        if name in numbers:
            if not (text.isascii() and text.isdigit() and len(text) <= 15):
                return None
            known[name] = int(text)
        elif name is not None:
            known[name] = "".join(char if char.isprintable() else "?" for char in text)
    unknown = {short: text for short, text in values.items() if short not in {*names, *MACS}}
    return Advert(**known, unknown=unknown)  # type: ignore[arg-type]  # checked just above


def is_signed(record: bytes, key: bytes) -> bool:
    """Whether the last string is the MAC of all before it, made with this key."""
    strings = split(record)
    if not strings:
        return False
    position, last = strings[-1]
    wanted = f"{MAC_KEY}={mac(record[:position], key)}".encode()
    return hmac.compare_digest(last, wanted)


def is_signed_too(record: bytes, key: bytes) -> bool:
    """Whether a node with a newer token signed it for those who have only this key.

    Behind that signature comes the MAC of the newer token and nothing else.
    """
    strings = split(record)
    if not strings or len(strings) < 2 or not strings[-1][1].startswith(f"{MAC_KEY}=".encode()):
        return False
    position, last = strings[-2]
    wanted = f"{BEFORE_KEY}={short_mac(record[:position], key)}".encode()
    return hmac.compare_digest(last, wanted)
