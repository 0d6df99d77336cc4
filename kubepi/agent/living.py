"""Which masters live, by their API's /readyz: asked every few seconds where there are several.

An advert says too little: it is a minute old, or of a Pi whose etcd has no quorum. /readyz is open
to everybody (the ClusterRole system:public-info-viewer); before this node has the cluster's CA,
the answer is believed without it: join pins the CA before it tells anything.
May touch: nothing. Tests: tests/unit/test_living.py, tests/lab/test_masters.py.
"""

import asyncio
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubepi.lan.peers import CA
from kubepi.machine.host import Host

if TYPE_CHECKING:
    import ssl

PORT = 6443
EVERY = 2.0  # seconds between two looks
PATIENCE = 3.0  # seconds; the API gives its own checks two
MISSES = 2  # looks in a row: one can be lost on a Pi that has much to do
QUESTION = "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
STATUS_BYTES = 64


@dataclass
class Living:
    """`ready`: the addresses whose API answered lately."""

    host: Host
    ready: frozenset[str] = frozenset()
    missed: dict[str, int] = field(default_factory=dict)
    trusts: "tuple[str, ssl.SSLContext] | None" = None

    async def look(self, addresses: Sequence[str], api_name: str, port: int = PORT) -> bool:
        """Ask all of them at once; True if it is others that live now."""
        context = self._context()
        asked = (asyncio.to_thread(is_ready, a, port, api_name, context) for a in addresses)
        found = await asyncio.gather(*asked)
        for address, answers in zip(addresses, found, strict=True):
            self.missed[address] = 0 if answers else self.missed.get(address, MISSES) + 1
        before = self.ready
        self.ready = frozenset(a for a in addresses if self.missed[a] < MISSES)
        return self.ready != before

    def _context(self) -> "ssl.SSLContext":
        """Made anew only when the CA is another: it costs a Pi milliseconds."""
        # the agent starts without it, for its memory (commands/agent.py); asyncio knows no TLS then
        if sys.modules.get("ssl", sys) is None:
            del sys.modules["ssl"]
        import ssl

        pem = self.host.read(CA) or ""
        if self.trusts is None or self.trusts[0] != pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if pem:
                context.load_verify_locations(cadata=pem)
            else:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self.trusts = (pem, context)
        return self.trusts[1]


def is_ready(address: str, port: int, api_name: str, context: "ssl.SSLContext") -> bool:
    """Whether the API there says so within a few seconds."""
    try:
        with (
            socket.create_connection((address, port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=api_name) as connection,
        ):
            connection.sendall(QUESTION.format(api_name).encode())
            said = connection.recv(STATUS_BYTES)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; ValueError: a CA that is no CA
        return False
    return said.split()[1:2] == [b"200"]
