"""An HTTP server on the lab's bridge: it counts what it sends, and can be given a fault."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

STALL_SECONDS = 60.0  # a client that neither asks nor reads for so long is gone

Answer = Callable[["Request"], None]
# Answers in place of the truth and says True, or lets the truth through.
Fault = Callable[["Request"], bool]


class Request(BaseHTTPRequestHandler):
    """One question of a client. HTTP/1.0, so that no connection outlives its answer.

    Attributes:
        breaks_after: so many bytes of the body are sent, then the line breaks; None: all are.
    """

    server: "Server"
    timeout = STALL_SECONDS
    breaks_after: int | None = None

    def do_GET(self) -> None:
        front = self.server.front
        fault = front.fault
        if fault is None or not fault(self):
            front.answer(self)

    do_HEAD = do_GET

    def reply(self, status: int, body: bytes = b"", kind: str = "text/html", **more: str) -> None:
        """A whole answer; `more` are header lines, one of which may name another kind."""
        lines = {"Content-Type": kind, "Content-Length": str(len(body)), **more}
        self.begin(status, list(lines.items()))
        self.send_body(body)

    def begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def send_body(self, data: bytes) -> None:
        """Nothing for HEAD; a line that is to break breaks here."""
        if self.command == "HEAD":
            return
        piece = data[: self.breaks_after]
        self.wfile.write(piece)
        self.server.front.count(self.path, len(piece))
        if self.breaks_after is not None:
            self.breaks_after -= len(piece)
            if len(piece) < len(data):
                raise ConnectionAbortedError("the line breaks")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what a client makes of it is what counts."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], front: "Front") -> None:
        super().__init__(address, Request)
        self.front = front

    def handle_error(
        self, request: socket | tuple[bytes, socket], client_address: object
    ) -> None:
        """A client that went away, or was left, in the middle of an answer is no error here."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Front:
    """A server that can be stopped and started again at the same address.

    Attributes:
        served: bytes of bodies sent, by what `label` says of a path.
        fault: what happens in place of the true answers; None: nothing.
    """

    def __init__(
        self, address: str, port: int, answer: Answer, label: Callable[[str], str]
    ) -> None:
        self.address = (address, port)
        self.answer = answer
        self.label = label
        self.served: Counter[str] = Counter()
        self.fault: Fault | None = None
        self._counting = threading.Lock()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def start(self) -> None:
        self._server = Server(self.address, self)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused; answers that have begun are given to the end."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def count(self, path: str, size: int) -> None:
        with self._counting:
            self.served[self.label(path)] += size
