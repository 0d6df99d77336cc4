"""kubepi/lan/direct.py: one datagram each way, on the loopback interface and by hand."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.adverts import LARGEST, Advert, encode
from kubepi.lan.direct import PORT, QUESTION_SIZE, Direct, ask_once, open_direct, pack, unpack

# addresses of the loopback network that nobody else has
SERVER, CALLER, NOBODY = "127.77.0.1", "127.77.0.2", "127.77.0.3"
KEY = b"k" * 32
RECORD = encode(Advert(node="pi1", node_id="aa", sequence=1), KEY)
OTHER = encode(Advert(node="pi2", node_id="bb", sequence=1), KEY)


@given(st.binary(max_size=LARGEST - 1), st.booleans())
def test_there_and_back(record: bytes, question: bool) -> None:
    assert unpack(pack(record, question)) == (record, question)


@given(st.binary(max_size=2000))
def test_any_datagram_is_taken_apart(datagram: bytes) -> None:
    record, question = unpack(datagram)
    assert record in datagram
    assert question is (len(datagram) >= QUESTION_SIZE)


@given(st.binary(max_size=LARGEST))
def test_no_answer_is_larger_than_its_question(record: bytes) -> None:
    """Else a forged sender's address would make us a lever against it."""
    assert len(pack(record, question=False)) <= len(pack(b"", question=True))


def test_the_largest_answer_is_no_question() -> None:
    assert unpack(pack(b"x" * LARGEST, question=False)) == (b"x" * LARGEST, False)


class Wire(asyncio.DatagramTransport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[bytes, object]] = []

    def sendto(self, data: bytes, addr: object = None) -> None:  # type: ignore[override]
        self.sent.append((data, addr))


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def direct(wire: Wire, heard: list[bytes]) -> Direct:
    protocol = Direct(lambda: RECORD, heard.append)
    protocol.connection_made(wire)
    return protocol


SENDER = ("10.0.0.2", 40000)


def test_a_question_is_heard_and_answered_to_its_sender(
    direct: Direct, wire: Wire, heard: list[bytes]
) -> None:
    direct.datagram_received(pack(OTHER, question=True), SENDER)
    assert heard == [OTHER]
    assert wire.sent == [(pack(RECORD, question=False), SENDER)]


def test_an_answer_is_heard_and_not_answered(
    direct: Direct, wire: Wire, heard: list[bytes]
) -> None:
    direct.datagram_received(pack(OTHER, question=False), SENDER)
    assert heard == [OTHER]
    assert wire.sent == []


def test_who_only_asks_tells_nothing(direct: Direct, wire: Wire, heard: list[bytes]) -> None:
    direct.datagram_received(pack(b"", question=True), SENDER)
    assert heard == []
    assert len(wire.sent) == 1


def test_two_that_ask_each_other_do_not_go_on_for_ever(direct: Direct, wire: Wire) -> None:
    direct.ask("10.0.0.2")
    question, address = wire.sent.pop()
    assert address == ("10.0.0.2", PORT)
    other_wire = Wire()
    other = Direct(lambda: OTHER, lambda record: None)
    other.connection_made(other_wire)
    other.datagram_received(question, ("10.0.0.1", PORT))
    (answer, _), *more = other_wire.sent
    assert not more
    direct.datagram_received(answer, SENDER)
    assert wire.sent == []


def test_before_the_socket_is_open_nothing_is_sent(heard: list[bytes]) -> None:
    protocol = Direct(lambda: RECORD, heard.append)
    protocol.ask("10.0.0.2")
    protocol.datagram_received(pack(OTHER, question=True), SENDER)
    protocol.error_received(OSError("no route"))
    assert heard == [OTHER]


# --- on sockets -----------------------------------------------------------------------------


@contextmanager
def answering(answer: bytes, deaf_for: int = 0) -> Iterator[list[bytes]]:
    """A node that answers every datagram with `answer`, after it did not hear some."""
    questions: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SERVER, PORT))

        def serve() -> None:
            while True:
                question, sender = server.recvfrom(4096)
                if not question:
                    return
                questions.append(question)
                if len(questions) > deaf_for:
                    server.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield questions
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", (SERVER, PORT))
        thread.join()


def test_asking_once_says_nothing_of_us_and_asks_again_what_was_lost() -> None:
    with answering(pack(RECORD, question=False), deaf_for=2) as questions:
        assert ask_once(SERVER, patience=0.6) == RECORD
    assert questions == [pack(b"", question=True)] * 3


@pytest.mark.parametrize("answer", [b"\0", b"\0\0", pack(b"", question=False)])
def test_an_empty_answer_is_none(answer: bytes) -> None:
    with answering(answer):
        assert ask_once(SERVER, patience=0.3) is None


def test_where_nobody_answers_it_ends() -> None:
    assert ask_once(NOBODY, patience=0.1) is None


class Loop(asyncio.SelectorEventLoop):
    """Remembers what it opened, so that the test can close it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[asyncio.BaseTransport] = []

    async def create_datagram_endpoint(self, *args: Any, **options: Any) -> Any:
        transport, protocol = await super().create_datagram_endpoint(*args, **options)
        self.opened.append(transport)
        return transport, protocol


def test_two_agents_on_one_network_hear_each_other() -> None:
    async def meet() -> tuple[list[bytes], list[bytes]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        first: list[bytes] = []
        second: list[bytes] = []
        one = await open_direct(lambda: RECORD, first.append, SERVER)
        await open_direct(lambda: OTHER, second.append, CALLER)
        one.ask(CALLER)
        end = loop.time() + 1
        while not (first and second) and loop.time() < end:
            await asyncio.sleep(0.01)
        for transport in loop.opened:
            transport.close()
        await asyncio.sleep(0)
        return first, second

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(meet()) == ([OTHER], [RECORD])
