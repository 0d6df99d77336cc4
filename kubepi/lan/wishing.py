"""A wish of this node: the agent says it in the adverts as long as it is written down.

May touch: that note, below /run. Tests: tests/unit/test_whole.py, tests/unit/test_forgetting.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kubepi.decide.wish import Wish
from kubepi.machine import state
from kubepi.machine.host import Host


def wish(host: Host, verb: str, targets: Sequence[str] = (), about: str = "") -> str:
    """Its number; it stays until there is another one, or until the next boot."""
    number = host.random("wish", 8).hex()
    host.write(state.WISH, str(Wish(number, verb, tuple(targets), about)), 0o600)
    return number


@contextmanager
def asked(
    host: Host, verb: str, targets: Sequence[str] = (), about: str = ""
) -> Iterator[str]:
    """As `wish`, for as long as it is needed."""
    number = wish(host, verb, targets, about)
    try:
        yield number
    finally:
        host.remove(state.WISH)
