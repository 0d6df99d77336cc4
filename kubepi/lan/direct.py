"""Adverts asked for directly, for where multicast does not pass: one UDP datagram each way.

A datagram is a length (2 bytes) and an advert's TXT record. One that is padded beyond the largest
advert is a question too and is answered with the own advert: no answer is larger than its question.
Tests: tests/unit/test_direct.py, tests/lab.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from kubepi.decide.adverts import LARGEST

PORT = 7353
QUESTION_SIZE = LARGEST + 3  # one more than the largest answer: no answer is a question


def pack(record: bytes, question: bool) -> bytes:
    datagram = len(record).to_bytes(2) + record
    return datagram.ljust(QUESTION_SIZE, b"\0") if question else datagram


def unpack(datagram: bytes) -> tuple[bytes, bool]:
    """The record ("" if there is none) and whether an answer is asked for."""
    length = int.from_bytes(datagram[:2])
    return datagram[2 : 2 + length], len(datagram) >= QUESTION_SIZE


class Direct(asyncio.DatagramProtocol):
    """Answers questions with `own()` and hands every record to `hear`."""

    def __init__(self, own: Callable[[], bytes], hear: Callable[[bytes], None]) -> None:
        self._own = own
        self._hear = hear
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # no isinstance: before Python 3.12 the transport of a socket is no DatagramTransport
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        record, question = unpack(data)
        if record:
            self._hear(record)
        if question and self._transport is not None:
            self._transport.sendto(pack(self._own(), question=False), addr)

    def error_received(self, exc: Exception) -> None:
        """An unreachable neighbour is not our trouble; it is asked again at its time."""

    def tell(self, address: str) -> None:
        """Only say who we are; no answer is wanted."""
        if self._transport is not None:
            self._transport.sendto(pack(self._own(), question=False), (address, PORT))

    def ask(self, address: str) -> None:
        if self._transport is not None:
            self._transport.sendto(pack(self._own(), question=True), (address, PORT))


async def open_direct(
    own: Callable[[], bytes], hear: Callable[[bytes], None], address: str = "0.0.0.0"
) -> Direct:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(
        lambda: Direct(own, hear), local_addr=(address, PORT), reuse_port=True
    )
    return protocol


def ask_once(address: str, patience: float = 3.0) -> bytes | None:
    """The advert of the node at `address`, asked thrice without saying who we are."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(patience / 3)
        for _ in range(3):
            try:
                asker.sendto(pack(b"", question=True), (address, PORT))
                answer, _sender = asker.recvfrom(4096)
            except (TimeoutError, OSError):
                continue
            return unpack(answer)[0] or None
    return None
