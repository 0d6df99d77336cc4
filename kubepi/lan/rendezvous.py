"""Looking for the master before anything is changed: listen, and ask the named addresses.

Changes nothing and says nothing to anybody. Tests: tests/lab/test_cluster.py.
"""

import asyncio
import math
import socket
from collections.abc import Callable, Sequence

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import (
    Book,
    Rendezvous,
    find_master,
    forget_strangers,
    hear,
    note,
    ready_masters,
    why_not,
)
from kubepi.errors import KubepiError
from kubepi.lan.direct import ask_once
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.machine.state import NODE_ID

TWO_MASTERS_SECONDS = 2.0
API_PORT = 6443


def listen_for(
    host: Host, keys: Sequence[bytes], seeds: Sequence[str], patience: float, until_master: bool,
    own_too: bool = False,
) -> Book:  # fmt: skip
    """All adverts heard in `patience` seconds; less, where one ready master is enough.

    By each of `keys` they are believed; with `own_too` also of this Pi's own id.
    """
    from kubepi.lan.discovery import listen

    book: Book = {}
    since: list[float] = []

    is_asked = host.uid() == 0 and not own_too
    own_id = (host.read(NODE_ID) or "").strip() if is_asked else ""

    def heard(record: bytes) -> None:
        nonlocal book
        book = note(book, record, why_not(record, keys), own_id, host.monotonic())

    def enough() -> bool:
        found = find_master(book.values(), host.monotonic())
        if not until_master or (found.master is None and not found.final):
            since.clear()
            return False
        # a second master, if there is one, answers the same question
        since.append(host.monotonic())
        return since[-1] - since[0] > TWO_MASTERS_SECONDS or found.final

    for seed in seeds:
        record = ask_once(seed)
        if record is not None:
            heard(record)
    if seeds and find_master(book.values(), host.monotonic()).master is not None:
        return book
    network = look(host).network
    asyncio.run(listen("" if network is None else network.address, heard, enough, patience))
    return book


def listen_on(host: Host, key: bytes | None, show: Callable[[Book], None]) -> None:
    """Until it is interrupted; `show` gets what was heard, once a second."""
    from kubepi.lan.discovery import listen

    book: Book = {}
    shown = host.monotonic()

    def heard(record: bytes) -> None:
        nonlocal book
        book = hear(book, record, key, "", host.monotonic())

    def enough() -> bool:
        nonlocal shown
        if host.monotonic() - shown >= 1.0:
            shown = host.monotonic()
            show(forget_strangers(book, shown))
        return False

    network = look(host).network
    asyncio.run(listen("" if network is None else network.address, heard, enough, math.inf))


def meet(host: Host, key: bytes, seeds: Sequence[str], patience: float) -> Advert:
    """The advert of the one master that has our token and is ready.

    Raises:
        KubepiError: none, two, a wrong token, another cluster: each with what was seen.
    """
    book = listen_for(host, [key], seeds, patience, until_master=True)
    found: Rendezvous = find_master(book.values(), host.monotonic())
    if found.master is None:
        asked = f"; asked directly, without an answer: {', '.join(seeds)}" if seeds else ""
        silent = asked if not book else ""
        raise KubepiError(found.sentence + silent, found.hint)
    ready = ready_masters(book.values(), host.monotonic())
    answers: list[Advert] = []

    def answering() -> str | None:
        said = []
        for advert in (peer.advert for peer in ready):
            said.append(why_no_answer(advert.address))
            if said[-1] is None:
                answers.append(advert)
                return None
        return said[0]

    names = " or ".join(peer.advert.node for peer in ready)
    host.wait_until(f"the master {names}", answering, max(patience, 5.0))
    return answers[0]


def why_no_answer(address: str) -> str | None:
    """None if the API's port is open there; an advert alone may be an old recording."""
    try:
        with socket.create_connection((address, API_PORT), timeout=2):
            return None
    except OSError as error:
        return (
            f"its advert is heard, but it does not answer at {address}:{API_PORT} "
            f"({error.strerror or 'timed out'})"
        )
