"""A card with another board's identity: was it copied from that board, or moved out of it?

On the card both look the same; only the LAN tells them apart. If the node that the card names is
heard, this is a copy of it, and becomes a node of its own. If not, its board has died or was given
up, and the same node goes on here.
May touch: the record of the board, kubelet, kubepi-resume. Tests: tests/unit/test_copied.py.
"""

import asyncio

from kubepi.cluster import kubectl
from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import TOKEN
from kubepi.decide.peerbook import Book, hear, is_heard
from kubepi.lan.discovery import listen
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.steps.identity import IDENTITY, copied_from
from kubepi.steps.install import RESUME
from kubepi.steps.services import unit_state

LISTEN = 30.0  # seconds; whoever is there answers the first question
LOOK_AGAIN = 2.0


async def find_own_place(host: Host) -> None:
    """Returns when this Pi may speak as the node that it is.

    What is in no cluster yet has nothing to lose: there the step UniqueIdentity decides.
    """
    facts = look(host)
    other, serial = copied_from(host, facts.board.serial), facts.board.serial
    if other is None or serial is None or not host.exists(kubectl.KUBELET):
        return
    host.log.tell(f"agent: this card was made by the board {other}: listening for its node")
    while look(host).network is None:
        await asyncio.sleep(LOOK_AGAIN)
    judge(host, serial, other, await _is_heard(host))
    while copied_from(host, serial) is not None:
        await asyncio.sleep(LOOK_AGAIN)


async def _is_heard(host: Host) -> bool:
    """Whether the node of this card speaks somewhere else."""
    token = state.read_secret(host, TOKEN)
    key = None if token is None else advert_key(token)
    node = (host.read(state.NODE_ID) or "").strip()
    book: Book = {}

    def note(record: bytes) -> None:
        nonlocal book
        book = hear(book, record, key, "", host.monotonic())

    def is_there() -> bool:
        return is_heard(book, node)  # also with a token that came after this card

    await listen("", note, is_there, LISTEN)
    return is_there()


def judge(host: Host, serial: str, other: str, is_heard: bool) -> None:
    """What follows from it; a power cut leaves the question as it was."""
    if not is_heard:
        host.log.tell(f"agent: its node is not heard: the card was moved, {serial} goes on as it")
        host.write(IDENTITY, f"{serial}\n", 0o600)
        return
    host.log.tell(f"agent: its node is there: a copy, which becomes a node of its own ({other})")
    host.write(state.COPIED, f"{other}\n", 0o600)
    host.write(state.PENDING, "", 0o600)
    host.run(["systemctl", "start", "--no-block", RESUME])
    if unit_state(host, "kubelet.service").get("ActiveState") == "active":
        host.run(["systemctl", "stop", "--no-block", "kubelet.service"])
