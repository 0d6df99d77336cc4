"""kubepi/machine/web.py: one small text, whatever the other side does; a server on loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kubepi.decide.proxy import Proxy
from kubepi.errors import StepFailed
from kubepi.machine import web
from kubepi.machine.web import fetch


@contextmanager
def serving(status: int = 200, body: bytes = b"a key", location: str = "") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path == "/there"
            self.send_response(status if not there else 200)
            if location and not there:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(f"for {self.path}: ".encode() + body)

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 404, 503])
def test_every_answer_is_an_answer(status: int) -> None:
    with serving(status) as url:
        assert fetch(f"{url}/x", None) == web.Answer(status, "for /x: a key")


def test_redirects_are_followed() -> None:
    with serving(302, location="/there") as url:
        assert fetch(f"{url}/x", None) == web.Answer(200, "for /there: a key")


def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as url:
        assert fetch(f"{url}/x", None).status == 200


def test_a_proxy_is_asked_unless_the_host_is_direct() -> None:
    with serving() as proxy:
        asked = fetch("http://somewhere.invalid/x", Proxy(proxy))
        assert asked.text == "for http://somewhere.invalid/x: a key"
        with serving() as url:
            assert fetch(f"{url}/x", Proxy("http://127.0.0.1:1")).text == "for /x: a key"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_nobody_answers() -> None:
    port = free_port()
    with pytest.raises(StepFailed, match=f"nobody answers at 127.0.0.1:{port}") as caught:
        fetch(f"http://127.0.0.1:{port}/x", None)
    assert "run the same command again" in caught.value.hint


def test_a_proxy_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(StepFailed, match=f"the proxy http://127.0.0.1:{port} does not answer"):
        fetch("http://somewhere.invalid/x", Proxy(f"http://127.0.0.1:{port}"))


def test_a_name_without_an_address() -> None:
    with pytest.raises(StepFailed, match=r"the name somewhere\.invalid has no address here"):
        fetch("http://somewhere.invalid/x", None)


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StepFailed, match="took the question and then sent nothing"):
            fetch(f"http://127.0.0.1:{port}/x", None, quiet=0.2)


def test_an_answer_without_an_end() -> None:
    with serving(body=b"x" * 5000) as url, pytest.raises(StepFailed, match="without an end"):
        fetch(f"{url}/x", None, largest=1000)
