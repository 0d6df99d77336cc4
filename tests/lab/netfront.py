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
    """One question of a client. HTTP/1.0, so that no connection outlives its answer."""

    server: "Server"
    timeout = STALL_SECONDS

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
        """Nothing for HEAD; a line that is to be cut is cut here."""
        if self.command != "HEAD":
            front = self.server.front
            allowed = front.allow(self, len(data))
            self.wfile.write(data[:allowed])
            if allowed < len(data):
                raise ConnectionAbortedError("the line is cut")

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.server.front.seen.append((self.command, self.path, int(code)))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is worth knowing is in Front.seen."""


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
        seen: method, path and status of each answer.
        fault: what happens in place of the true answers; None: nothing.
        cut_after: so many bytes more, then every answer breaks off; None: none does.
    """

    def __init__(
        self, address: str, port: int, answer: Answer, label: Callable[[str], str]
    ) -> None:
        self.address = (address, port)
        self.answer = answer
        self.label = label
        self.served: Counter[str] = Counter()
        self.seen: list[tuple[str, str, int]] = []
        self.fault: Fault | None = None
        self.cut_after: int | None = None
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

    def allow(self, request: Request, size: int) -> int:
        """How many of that many bytes may be sent; they are counted as sent."""
        with self._counting:
            allowed = size if self.cut_after is None else min(size, self.cut_after)
            if self.cut_after is not None:
                self.cut_after -= allowed
            self.served[self.label(request.path)] += allowed
        return allowed
