"""Which masters live, by their API's /readyz: asked every few seconds where there are several.

An advert says too little: it is a minute old, or of a Pi whose etcd has no quorum. /readyz is open
to everybody (the ClusterRole system:public-info-viewer); before this node has the cluster's CA,
the answer is believed without it: join pins the CA before it tells anything.
openssl asks, for some milliseconds: Python's own TLS would cost the agent seven megabytes for good.
May touch: nothing. Tests: tests/unit/test_living.py, tests/lab/test_masters.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from kubepi.lan.peers import CA
from kubepi.machine.host import Host

PORT = 6443
EVERY = 2.0  # seconds between two looks
PATIENCE = 3.0  # seconds; the API gives its own checks two
MISSES = 2  # looks in a row: one can be lost on a Pi that has much to do
QUESTION = "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"


@dataclass
class Living:
    """`ready`: the addresses whose API answered lately."""

    host: Host
    ready: frozenset[str] = frozenset()
    missed: dict[str, int] = field(default_factory=dict)

    async def look(self, addresses: Sequence[str], api_name: str, port: int = PORT) -> bool:
        """Ask all of them at once; True if it is others that live now."""
        asked = (asyncio.to_thread(is_ready, self.host, a, api_name, port) for a in addresses)
        found = await asyncio.gather(*asked)
        for address, answers in zip(addresses, found, strict=True):
            self.missed[address] = 0 if answers else self.missed.get(address, MISSES) + 1
        before = self.ready
        self.ready = frozenset(a for a in addresses if self.missed[a] < MISSES)
        return self.ready != before


def is_ready(host: Host, address: str, api_name: str, port: int = PORT) -> bool:
    """Whether the API there says so within a few seconds."""
    # -quiet: nothing but the answer, and until the other side has ended it
    argv = ["openssl", "s_client", "-quiet", "-connect", f"{address}:{port}",
            "-servername", api_name]  # fmt: skip
    if host.exists(CA):
        argv += ["-CAfile", str(host.path(CA)), "-verify_hostname", api_name,
                 "-verify_return_error"]  # fmt: skip
    said = host.glance(argv, stdin=QUESTION.format(api_name), timeout=PATIENCE)
    return said is not None and said.split()[1:2] == ["200"]
