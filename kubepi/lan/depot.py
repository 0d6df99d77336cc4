"""The depot: the one door for data between nodes. Read-only; named things, nothing by path.

The agent serves; whoever wants something fetches it. Tests: tests/unit/test_depot.py, tests/lab.
"""

import asyncio
import json
import socket
from asyncio import LimitOverrunError
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from kubepi.decide import depot
from kubepi.decide.backup import is_backup_name
from kubepi.decide.credentials import depot_key
from kubepi.decide.depot import LAST, PIECE, Request
from kubepi.decide.goal import TOKEN
from kubepi.errors import KubepiError
from kubepi.lan.aead import TAG, seal, unseal
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.streams import write_stream

Thing = Path | bytes  # a file, or what is said at once
AT_ONCE = 4  # answers that are on their way
HEAD_SECONDS = 10.0
PIECE_SECONDS = 60.0
SUPPORT = "support"  # this thing is made when somebody asks, and that takes its time
SUPPORT_SECONDS = 300.0
REMEMBERED = 4096  # nonces; older ones are refused by their time


class Depot:
    """Answers who has our token; `find` says what a name stands for, `opens` by which tokens."""

    def __init__(
        self,
        host: Host,
        find: Callable[[str], Thing | None],
        opens: Callable[[str], Sequence[str]],
    ) -> None:
        self._host = host
        self._find = find
        self._opens = opens
        self._busy = 0
        self._seen: dict[str, int] = {}
        self._server: asyncio.Server | None = None

    async def start(self, address: str = "0.0.0.0", port: int = depot.PORT) -> None:
        self._server = await asyncio.start_server(
            self._answer, address, port, limit=depot.LARGEST_HEAD
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._busy += 1
        try:
            # whoever is slow, gone or no kubepi is not our trouble
            with closing(writer), suppress(OSError, EOFError, LimitOverrunError, ValueError):
                async with asyncio.timeout(HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._serve(depot.read_request(head), writer)
                writer.close()
                await writer.wait_closed()
        finally:
            self._busy -= 1

    async def _serve(self, request: Request | None, writer: asyncio.StreamWriter) -> None:
        if request is None:
            writer.write(depot.write_answer(depot.FORBIDDEN))
            return
        keys = (depot_key(token) for token in self._opens(request.thing))
        key = next((key for key in keys if request.is_from(key)), b"")
        code, thing = self._judge(request, key), None
        if code == depot.OK:
            # beside the loop: some things are made on request
            thing = await asyncio.to_thread(self._find, request.thing)
        if thing is None:
            writer.write(depot.write_answer(depot.NOT_FOUND if code == depot.OK else code))
            return
        salt = self._host.random("depot salt", 16).hex()
        writer.write(depot.write_answer(code, salt))
        for piece in sealed(depot.answer_key(key, request, salt), thing):
            writer.write(piece)
            async with asyncio.timeout(PIECE_SECONDS):
                await writer.drain()

    def _judge(self, request: Request, key: bytes) -> int:
        if not key:
            return depot.FORBIDDEN
        now = int(self._host.now())
        if abs(request.time - now) > depot.SKEW:
            return depot.CLOCK
        recent = {n: when for n, when in self._seen.items() if abs(when - now) <= depot.SKEW}
        if request.nonce in recent or len(recent) >= REMEMBERED:
            return depot.FORBIDDEN
        self._seen = {**recent, request.nonce: request.time}
        return depot.OK if self._busy <= AT_ONCE else depot.BUSY


def sealed(key: bytes, thing: Thing) -> Iterator[bytes]:
    """Pieces with their lengths; the last one says that it is it."""
    for number, (piece, is_last) in enumerate(_pieces(thing)):
        body = seal(key, depot.nonce_of(number, is_last), piece)
        yield (len(body) | (LAST if is_last else 0)).to_bytes(4) + body


def _pieces(thing: Thing) -> Iterator[tuple[bytes, bool]]:
    if isinstance(thing, bytes):
        for start in range(0, max(len(thing), 1), PIECE):
            yield thing[start : start + PIECE], start + PIECE >= len(thing)
        return
    with thing.open("rb") as stream:
        piece = stream.read(PIECE)
        while True:
            following = stream.read(PIECE)
            yield piece, not following
            if not following:
                return
            piece = following


def opened(key: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """
    Raises:
        KubepiError: it is not what was asked for, or cut off.
    """
    number, is_last = 0, False
    while not is_last:
        word = int.from_bytes(_exactly(stream, 4))
        is_last, length = bool(word & LAST), word & ~LAST
        if length > PIECE + TAG:
            raise KubepiError("what came is no answer of a kubepi", "")
        yield unseal(key, depot.nonce_of(number, is_last), _exactly(stream, length))
        number += 1


def _exactly(stream: BinaryIO, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise KubepiError("the answer is cut off", "")
    return found


def own_key(host: Host) -> bytes:
    return depot_key(state.need_secret(host, TOKEN))


def fetch(
    host: Host,
    key: bytes,
    address: str,
    thing: str,
    name: str,
    mode: int = 0o600,
    patience: float = PIECE_SECONDS,
) -> None:
    """The thing as a file, whole or not at all; `patience`: seconds until the first piece comes.

    Raises:
        KubepiError: the node does not answer, does not know us, or has no such thing.
    """

    def fill(stream: BinaryIO) -> None:
        for piece in _ask(host, key, address, thing, patience):
            stream.write(piece)

    write_stream(host, name, fill, mode)


def fetch_text(host: Host, key: bytes, address: str, thing: str) -> str:
    """A small thing, such as a list."""
    found = b""
    for piece in _ask(host, key, address, thing):
        found += piece
        if len(found) > depot.LARGEST_LIST:
            raise KubepiError(f"{address} sends a list without an end", "")
    return found.decode(errors="replace")


def backups_of(host: Host, key: bytes, address: str) -> list[str]:
    """Names of the backups that lie on that node."""
    there = json.loads(fetch_text(host, key, address, "backups"))
    return [name for name in there if is_backup_name(name)]


def _ask(
    host: Host, key: bytes, address: str, thing: str, patience: float = PIECE_SECONDS
) -> Iterator[bytes]:
    nonce = host.random("depot nonce", 16).hex()
    request = depot.ask(key, thing, int(host.now()), nonce)
    try:
        with socket.create_connection((address, depot.PORT), HEAD_SECONDS) as line:
            line.settimeout(patience)
            line.sendall(depot.write_request(request, address))
            with line.makefile("rb") as stream:
                salt = _accepted(stream, address, thing)
                yield from opened(depot.answer_key(key, request, salt), stream)
    except OSError as error:
        raise KubepiError(
            f"{address} does not give {thing}: {error.strerror or 'it does not answer'}",
            "is it on, and does its agent run (systemctl status kubepi-agent)?",
        ) from error


def _accepted(stream: BinaryIO, address: str, thing: str) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < depot.LARGEST_HEAD:
        line = stream.readline(depot.LARGEST_HEAD)
        if not line:
            break
        head += line
    answer = depot.read_answer(head)
    if answer is None:
        raise KubepiError(f"at {address}:{depot.PORT} something else than kubepi answers", "")
    code, salt = answer
    if code == depot.OK:
        return salt
    sentence, hint = {
        depot.FORBIDDEN: ("does not take our token", "it has another one: kubepi token show"),
        depot.NOT_FOUND: (f"has no {thing}", ""),
        depot.CLOCK: ("has another time than this Pi", "compare date on both"),
        depot.BUSY: ("is busy", "try again"),
    }.get(code, (f"answers with code {code}", ""))
    raise KubepiError(f"{address} {sentence}", hint)
