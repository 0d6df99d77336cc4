"""The token of this node with its number, and the one before it while others still use that.

Root-only. What is here comes first, the token's own file after it: a power cut between the two is
seen at the next look. Tests: tests/unit/test_tokens.py.
"""

from collections.abc import Callable

from kubepi.decide.goal import TOKEN
from kubepi.decide.rotation import FIRST, Tokens
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.lock import in_turn

FILE = f"{state.STATE}/secrets/rotation"


def load(host: Host) -> Tokens | None:
    """None on a node that has no token."""
    token, data = state.read_secret(host, TOKEN), state.read_json(host, FILE)
    if token is None or data is None:
        return None if token is None else Tokens(token)
    saved = Tokens(data["token"], data["number"], data["before"], frozenset(data["waiting"]))
    for secret in (saved.token, saved.before):
        if secret:
            host.log.hide(secret)
    # a third token was typed in since, and makes a new beginning
    return saved if token in (saved.token, saved.before) else Tokens(token)


def save(host: Host, tokens: Tokens) -> None:
    """On the disk when this returns; nothing is written that is there already."""
    if load(host) == tokens and state.read_secret(host, TOKEN) == tokens.token:
        return
    data = {
        "token": tokens.token, "number": tokens.number, "before": tokens.before,
        "waiting": sorted(tokens.waiting),
    }  # fmt: skip
    state.write_json(host, FILE, data)
    state.save_secret(host, TOKEN, tokens.token)


def change(host: Host, how: Callable[[Tokens], Tokens]) -> Tokens | None:
    """`how` decides by what is there at that moment.

    Returns:
        The tokens after it; None on a node that has none.
    """
    with in_turn(host, "token"):
        tokens = load(host)
        after = None if tokens is None else how(tokens)
        if after is not None:
            save(host, after)
        return after


def accept(host: Host, given: str | None, configured: str | None) -> None:
    """What a command came with: a person's word, or else a kubepi.yaml's."""
    if given is not None:
        give(host, given)
    elif configured is not None:
        take(host, configured)


def give(host: Host, token: str) -> None:
    """One that a person gave with a command counts always: what is here may be wrong, or lost."""
    with in_turn(host, "token"):
        tokens = load(host)
        if tokens is not None and tokens.token == token:
            return
        if host.exists(FILE):
            save(host, Tokens(token))  # also where it is the token before
        else:
            state.save_secret(host, TOKEN, token)
        if tokens is not None:
            host.log.tell("this Pi has the token that was given, and no more the one it had")


def take(host: Host, token: str) -> None:
    """A configured one; a kubepi.yaml of before the last change is out of date."""
    with in_turn(host, "token"):
        tokens = load(host)
        if tokens is None or tokens.number == FIRST:
            state.save_secret(host, TOKEN, token)
        elif token != tokens.token:
            host.log.line("decision: the configured token is old: the cluster's was changed since")


def is_changed(host: Host) -> bool:
    """Whether the cluster's token is another one than its first, as far as this node knows."""
    tokens = load(host)
    return tokens is not None and tokens.number != FIRST
