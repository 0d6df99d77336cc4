"""A Pi below a folder for kubepi.pyz to work on, whose programs are answered by the test.

On PATH are only small clients of a server in the test. It answers with the scripts of
tests/programs.py and tests/kubernetes_programs.py and keeps what was asked; a program without a
script is not there.
"""

import marshal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import FakePi
from tests.scene import NOT_OURS, fresh_pi

# 50 of them run in one init: only modules that are built in, or nearly so
CLIENT = """\
#!{python} -IS
import _socket, marshal, sys
server = _socket.socket()
server.connect(("127.0.0.1", {port}))
argv = [sys.argv[0].rpartition("/")[2], *sys.argv[1:]]
server.sendall(marshal.dumps((argv, sys.stdin.read())))
server.shutdown(_socket.SHUT_WR)
answer = b""
while part := server.recv(65536):
    answer += part
code, text = marshal.loads(answer)
(sys.stderr if code else sys.stdout).write(text)
sys.exit(code)
"""
UNKNOWN = 99


class Server(socketserver.ThreadingTCPServer):
    """Answers the clients with the scripts of a FakePi."""

    daemon_threads = True

    def __init__(self, pi: FakePi) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pi = pi
        self.calls: list[list[str]] = []


class Handler(socketserver.StreamRequestHandler):
    """One program that is run."""

    def handle(self) -> None:
        assert isinstance(self.server, Server)
        argv, stdin = marshal.loads(self.rfile.read())
        self.server.calls.append(argv)
        try:
            result = self.server.pi._execute(argv, stdin, 60.0)
            answer = (result.code, result.stdout or result.stderr)
        except AssertionError as error:
            answer = (UNKNOWN, str(error))
        self.wfile.write(marshal.dumps(answer))


@dataclass
class Bench:
    """A Pi below a folder, and the file that works on it."""

    pyz: Path
    pi: FakePi
    server: Server
    programs: Path

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-I", str(self.pyz), "--root", str(self.pi.root), *words]

    def environ(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.programs), "HOME": "/root", "LC_ALL": "C.UTF-8", **more}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words), env=self.environ(**more), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def lines(self) -> list[str]:
        """Every program that was run, as one types it."""
        return [" ".join(argv) for argv in self.server.calls]

    def tree(self) -> dict[str, tuple[str, int]]:
        return self.pi.tree(ignoring=NOT_OURS)


@contextmanager
def bench_of(pyz: Path, folder: Path, board: str = "") -> Iterator[Bench]:
    pi = fresh_pi(folder, board)
    pi.put("/proc/meminfo", "MemTotal: 3884296 kB\n")
    pi.put("/sys/devices/system/cpu/online", "0-3\n")
    programs = folder / "bin"
    programs.mkdir()
    with Server(pi) as server:
        client = CLIENT.format(python=sys.executable, port=server.server_address[1])
        for name in {prefix[0] for prefix in pi.programs}:
            (programs / name).write_text(client)
            (programs / name).chmod(0o755)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Bench(pyz, pi, server, programs)
        finally:
            server.shutdown()
            thread.join()
