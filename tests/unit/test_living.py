"""kubepi/agent/living.py: who answers /readyz, over TLS, also before the CA is here."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubepi.agent.living import MISSES, Living
from kubepi.lan.peers import CA
from kubepi.machine.host import Host

NAME = "home.kubepi.internal"
HERE = "127.0.0.1"


def certificate(folder: Path, name: str = NAME) -> Path:
    """Of a CA that is its own server: certificate and key in one file."""
    folder.mkdir(parents=True, exist_ok=True)
    pem = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", pem, "-out", f"{pem}.crt", "-subj", f"/CN={name}", "-days", "2",
         "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    return pem


@asynccontextmanager
async def api(pem: Path, answers: Sequence[bytes]) -> AsyncIterator[int]:
    """A server that says these in turn; its port."""
    said = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.readuntil(b"\r\n\r\n")
        assert question.startswith(b"GET /readyz HTTP/1.1\r\n")
        writer.write(next(said))
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(answer, HERE, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


OK = b"HTTP/1.1 200 OK\r\n\r\nok"
NOT_READY = b"HTTP/1.1 500 Internal Server Error\r\n\r\n[-]etcd failed"


def looks(pi: Host, pem: Path, answers: Sequence[bytes]) -> list[frozenset[str]]:
    """Who is ready after each look."""

    async def run() -> list[frozenset[str]]:
        living, seen = Living(pi), []
        async with api(pem, answers) as port:
            for _ in answers:
                await living.look([HERE], NAME, port)
                seen.append(living.ready)
        return seen

    return asyncio.run(run())


HIM, NOBODY = frozenset({HERE}), frozenset[str]()


@pytest.fixture
def pi(tmp_path: Path) -> Host:
    """No fake one: openssl is asked."""
    return Host(tmp_path / "root")


def trust(pi: Host, pem: Path) -> None:
    pi.write(CA, Path(f"{pem}.crt").read_text())


def test_who_answers_with_200_lives(pi: Host, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    trust(pi, pem)
    assert looks(pi, pem, [OK]) == [HIM]


def test_one_miss_is_borne_and_two_are_not(pi: Host, tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    trust(pi, pem)
    answers = [NOT_READY, OK, NOT_READY, OK, NOT_READY, b"", OK]
    assert MISSES == 2
    assert looks(pi, pem, answers) == [NOBODY, HIM, HIM, HIM, HIM, NOBODY, HIM]


def test_before_the_ca_is_there_the_answer_is_enough(pi: Host, tmp_path: Path) -> None:
    assert looks(pi, certificate(tmp_path), [OK]) == [HIM]


@pytest.mark.parametrize("name", [NAME, "other.kubepi.internal"])
def test_an_impostor_does_not_live(pi: Host, tmp_path: Path, name: str) -> None:
    """With another CA, or with a certificate for another cluster's name."""
    own = certificate(tmp_path / "own")
    theirs = certificate(tmp_path / "theirs", name)
    trust(pi, own if name == NAME else theirs)

    async def run() -> frozenset[str]:
        living = Living(pi)
        async with api(theirs, [OK]) as port:
            await living.look([HERE], NAME, port)
        return living.ready

    assert asyncio.run(run()) == NOBODY


def test_who_is_not_there_is_told_once(pi: Host) -> None:
    async def run() -> list[bool]:
        living = Living(pi)
        return [await living.look([HERE], NAME, port=1) for _ in range(3)]

    assert asyncio.run(run()) == [False, False, False]
