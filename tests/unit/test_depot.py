"""kubepi/decide/depot.py and lan/depot.py: who asks is known, what comes is whole, or nothing."""

import asyncio
import hashlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.agent.rotating import opens
from kubepi.decide import depot
from kubepi.decide.credentials import depot_key
from kubepi.decide.depot import PIECE, PORT, Request, read_answer, read_request, write_request
from kubepi.decide.goal import Secret
from kubepi.errors import KubepiError
from kubepi.lan.aead import TAG
from kubepi.lan.depot import AT_ONCE, Depot, Thing, fetch, fetch_text, opened, own_key, sealed
from kubepi.machine import state
from tests.fakes import FakePi

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
OTHER = "another token"
SERVER = "127.77.0.9"
KEY = depot_key(TOKEN)
NONCE = "0123456789abcdef" * 2
BIG = bytes(range(256)) * 800  # three pieces and a bit


def test_a_request_is_read_as_it_was_written() -> None:
    request = depot.ask(KEY, "backup/kubepi-home-1.tar.gz", 1_800_000_000, NONCE)
    assert read_request(write_request(request, "10.0.0.1")) == request
    assert request.is_from(KEY)
    assert not request.is_from(depot_key(OTHER))
    for change in ({"thing": "kubepi.pyz"}, {"time": 1}, {"nonce": NONCE[::-1]}):
        assert not replace(request, **change).is_from(KEY)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_none(head: bytes) -> None:
    assert read_request(head) is None
    assert read_answer(head) is None


def test_no_path_is_a_thing() -> None:
    request = depot.ask(KEY, "x", 1, NONCE)
    for thing in ("../etc/passwd", "/etc/passwd", "", "a b", "-x", "a%2e"):
        head = write_request(replace(request, thing=thing), "10.0.0.1")
        assert read_request(head) is None or ".." not in thing


@given(st.binary(max_size=3 * PIECE))
def test_what_was_sealed_is_opened(content: bytes) -> None:
    stream = io.BytesIO(b"".join(sealed(KEY, content)))
    assert b"".join(opened(KEY, stream)) == content
    assert stream.read() == b""


@pytest.mark.parametrize("cut", [0, 3, 4, 100, PIECE, PIECE + TAG + 4, len(BIG)])
def test_an_answer_that_is_cut_off_is_refused(cut: int) -> None:
    """Also where a piece ends."""
    whole = b"".join(sealed(KEY, BIG))
    with pytest.raises(KubepiError, match="cut off"):
        list(opened(KEY, io.BytesIO(whole[:cut])))


def test_pieces_in_another_order_are_refused() -> None:
    pieces = list(sealed(KEY, BIG))
    with pytest.raises(KubepiError, match="not sealed with our key"):
        list(opened(KEY, io.BytesIO(pieces[1] + pieces[0] + b"".join(pieces[2:]))))


def pi_of(folder: Path, token: str = TOKEN) -> FakePi:
    (folder / "root").mkdir(parents=True)
    pi = FakePi(folder / "root")
    state.save_secret(pi, Secret("token"), token)
    return pi


@contextmanager
def serving(
    pi: FakePi, find: Callable[[str], Thing | None], address: str = SERVER
) -> Iterator[None]:
    """A depot on the loopback interface, in a loop of its own."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    server = Depot(pi, find, partial(opens, pi))

    def run() -> None:
        loop.run_until_complete(server.start(address))
        loop.call_soon(started.set)
        loop.run_forever()
        loop.run_until_complete(server.stop())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def test_a_file_goes_from_node_to_node(tmp_path: Path) -> None:
    server, client = pi_of(tmp_path / "a"), pi_of(tmp_path / "b")
    file = tmp_path / "file"
    file.write_bytes(BIG)
    things: dict[str, Thing] = {"file": file, "list": b"[]", "empty": b""}
    with serving(server, things.get):
        fetch(client, own_key(client), SERVER, "file", "/x/copy")
        assert hashlib.sha256(client.read_bytes("/x/copy") or b"").digest() == (
            hashlib.sha256(BIG).digest()
        )
        assert client.mode("/x/copy") == 0o600
        client.random_made["depot nonce"] = 1
        assert fetch_text(client, own_key(client), SERVER, "list") == "[]"
        client.random_made["depot nonce"] = 2
        assert fetch_text(client, own_key(client), SERVER, "empty") == ""
        client.random_made["depot nonce"] = 3
        with pytest.raises(KubepiError, match="has no other"):
            fetch(client, own_key(client), SERVER, "other", "/x/other")
    assert client.listdir("/x") == ["copy"]


def test_who_has_another_token_or_another_time_gets_nothing(tmp_path: Path) -> None:
    server, client = pi_of(tmp_path / "a"), pi_of(tmp_path / "b")
    with serving(server, {"list": b"[]"}.get):
        with pytest.raises(KubepiError, match="does not take our token"):
            fetch_text(client, depot_key(OTHER), SERVER, "list")
        client.clock.seconds += 1000
        with pytest.raises(KubepiError, match="another time"):
            fetch_text(client, own_key(client), SERVER, "list")


def test_a_recorded_request_gets_nothing_and_a_recorded_answer_opens_nothing(
    tmp_path: Path,
) -> None:
    server = pi_of(tmp_path / "a")
    request = depot.ask(KEY, "list", int(server.now()), NONCE)
    with serving(server, {"list": b"the secret list"}.get):
        first, second = spoken(request), spoken(request)
    assert read_answer(first.partition(b"\r\n\r\n")[0]) is not None
    assert b"the secret list" not in first
    assert second.startswith(b"HTTP/1.1 403 ")
    code, salt = read_answer(first.partition(b"\r\n\r\n")[0]) or (0, "")
    assert code == depot.OK
    body = io.BytesIO(first.partition(b"\r\n\r\n")[2])
    another = depot.ask(KEY, "list", request.time, NONCE[::-1])
    with pytest.raises(KubepiError):
        list(opened(depot.answer_key(KEY, another, salt), body))


@pytest.mark.parametrize(
    "sent", [b"GET /list HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"x" * 5000, b"GET /../x HTTP/1.1\r\n\r\n"]
)
def test_whoever_is_no_kubepi_gets_nothing(sent: bytes, tmp_path: Path) -> None:
    server = pi_of(tmp_path / "a")
    with serving(server, {"list": b"[]"}.get):
        for _ in range(AT_ONCE + 1):
            assert said_to(sent) in (b"", depot.write_answer(depot.FORBIDDEN))
        # and the next one is served: none of them holds a place
        client = pi_of(tmp_path / "b")
        assert fetch_text(client, own_key(client), SERVER, "list") == "[]"


def spoken(request: Request) -> bytes:
    return said_to(write_request(request, SERVER))


def said_to(sent: bytes) -> bytes:
    with socket.create_connection((SERVER, PORT), 10) as line:
        line.settimeout(10)
        line.sendall(sent)
        found = b""
        try:
            while piece := line.recv(65536):
                found += piece
        except ConnectionResetError:
            return found
        return found
