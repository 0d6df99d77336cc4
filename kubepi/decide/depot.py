"""The depot's messages: what a node asks another one for, and how both know each other; pure.

A request names a thing, the time and a nonce, with a MAC over them. An answer is made of pieces,
each sealed with a key of its own kind: from the depot's key, the thing, the request's nonce and the
server's salt. So an answer fits its request alone, and a recording opens nothing.
Tests: tests/unit/test_depot.py.
"""

import hmac
import re
from dataclasses import dataclass

PORT = 7353
SKEW = 300  # seconds that two clocks may differ
PIECE = 65536  # bytes of a piece before it is sealed
LAST = 1 << 31  # in a piece's length: no other follows
LARGEST_HEAD = 2048
LARGEST_LIST = 1 << 20
NONCE = re.compile(r"[0-9a-f]{32}")
THING = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,120}")
OK, FORBIDDEN, NOT_FOUND, CLOCK, BUSY = 200, 403, 404, 409, 503


@dataclass(frozen=True)
class Request:
    """`time`: seconds since 1970, by the clock of who asks."""

    thing: str
    time: int
    nonce: str
    mac: str

    def is_from(self, key: bytes) -> bool:
        """Whether somebody wrote it who has the key."""
        return hmac.compare_digest(self.mac, _mac(key, self.thing, self.time, self.nonce))


def ask(key: bytes, thing: str, time: int, nonce: str) -> Request:
    return Request(thing, time, nonce, _mac(key, thing, time, nonce))


def write_request(request: Request, address: str) -> bytes:
    return (
        f"GET /{request.thing} HTTP/1.1\r\nHost: {address}:{PORT}\r\n"
        f"Kubepi-Request: {request.time} {request.nonce} {request.mac}\r\n"
        "Connection: close\r\n\r\n"
    ).encode()


def read_request(head: bytes) -> Request | None:
    """None for what is no request of ours."""
    lines = head.decode("latin-1").split("\r\n")
    first = re.fullmatch(r"GET /(\S+) HTTP/1\.[01]", lines[0])
    if first is None or THING.fullmatch(first[1]) is None:
        return None
    for line in lines[1:]:
        found = re.fullmatch(r"kubepi-request: (\d{1,12}) ([0-9a-f]{32}) ([0-9a-f]{64})", line,
                             re.IGNORECASE)  # fmt: skip
        if found is not None:
            return Request(first[1], int(found[1]), found[2], found[3])
    return None


def write_answer(code: int, salt: str = "") -> bytes:
    salted = f"Kubepi-Salt: {salt}\r\n" if salt else ""
    return (
        f"HTTP/1.1 {code} kubepi\r\n{salted}"
        "Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
    ).encode()


def read_answer(head: bytes) -> tuple[int, str] | None:
    """Code and salt; None for what is no answer of a depot."""
    lines = head.decode("latin-1").split("\r\n")
    first = re.match(r"HTTP/1\.[01] (\d{3}) ", lines[0])
    salts = [line.partition(": ")[2] for line in lines if line.startswith("Kubepi-Salt: ")]
    salt = salts[0] if salts else ""
    if first is None or (int(first[1]) == OK and NONCE.fullmatch(salt) is None):
        return None
    return int(first[1]), salt


def answer_key(key: bytes, request: Request, salt: str) -> bytes:
    """32 bytes for the pieces of one answer, and of no other."""
    text = f"kubepi depot answer 1\0{request.thing}\0{request.time}\0{request.nonce}\0{salt}"
    return hmac.digest(key, text.encode(), "sha256")


def file_key(key: bytes, salt: bytes) -> bytes:
    """32 bytes for the pieces of one file that lies where others may read it."""
    return hmac.digest(key, b"kubepi sealed file 1\0" + salt, "sha256")


def nonce_of(number: int, is_last: bool) -> bytes:
    """Of a piece: no two of an answer have the same, and no cut-off answer looks whole."""
    return bytes([0, 0, 0, is_last]) + number.to_bytes(8)


def _mac(key: bytes, thing: str, time: int, nonce: str) -> str:
    text = f"kubepi depot request 1\0{thing}\0{time}\0{nonce}"
    return hmac.digest(key, text.encode(), "sha256").hex()
