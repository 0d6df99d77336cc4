"""`token rotate`: this node has a new token first, the others get it from each other's depots.

The agents do the rest, also while this command is not there any more; typed again, it goes on
waiting. Tests: tests/unit/test_rotating_command.py, tests/lab/test_certificates.py.
"""

import sys
from collections.abc import Mapping

from kubepi.decide import rotation
from kubepi.decide.credentials import RANDOM_BYTES, new_token
from kubepi.decide.rotation import Tokens, waited_for
from kubepi.errors import NoGoal, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.rotation import change, load

SECONDS = 120.0  # a settled node speaks once a minute
STOLEN = (
    "Whoever has the old token and is on the LAN gets the new one too: a Pi that was stolen is to "
    "be forgotten first (kubepi nodes forget NAME)."
)
Known = Mapping[str, tuple[str, str]]  # node id -> name, address


def rotate(host: Host, dry_run: bool) -> int:
    """0 when all have it, 1 while some are waited for."""
    goal = state.load_goal(host)
    if goal is None or not goal.is_member:
        raise NoGoal("this Pi is in no cluster", "kubepi token new makes a token for one")
    known, tokens = state.known_nodes(host), load(host)
    goes_on = tokens is not None and bool(tokens.before)
    if dry_run:
        print(_preview(known, waited_for(tokens, known) if tokens and goes_on else None))
        return 0
    if goes_on:
        print("The last change goes on; there is no other token.", file=sys.stderr)
        change(host, lambda tokens: tokens)  # after a power cut it may not be in its place yet
    else:
        print(STOLEN, file=sys.stderr)
        token = new_token(host.random("next token", RANDOM_BYTES))
        change(host, lambda tokens: rotation.begin(tokens, token, state.known_nodes(host)))
    return _wait(host)


def _preview(known: Known, waiting: list[str] | None) -> str:
    if waiting is not None:
        return f"the last change would go on, with no other token; missing: {', '.join(waiting)}"
    names = ", ".join(sorted(name for name, _ in known.values())) or "no other node"
    return f"this Pi would have a new token, and give it to: {names}"


def _wait(host: Host) -> int:
    def behind() -> str | None:
        tokens = load(host) or Tokens("")
        return ", ".join(_names(host, tokens)) or None

    try:
        host.wait_until("all nodes to have the new token", behind, SECONDS)
    except StepFailed:
        print(f"The new token is in use. Not heard with it yet: {behind()}.")
        print(
            "They get it when they are on; kubepi nodes forget NAME gives up one that is dead.\n"
            "One that is on may wait for others itself: sudo kubepi doctor there names them."
        )
        return 1
    print(
        "All nodes have the new token: sudo kubepi token show\n"
        "Change it in your kubepi.yaml, and in the kubepi-cluster.yaml that makes new cards."
    )
    return 0


def _names(host: Host, tokens: Tokens) -> list[str]:
    if not tokens.before:
        return []
    return waited_for(tokens, state.known_nodes(host)) or ["the agent"]  # it gives the old one up
