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


def rotate(host: Host, dry_run: bool) -> int:
    """0 when all have it, 1 while some are waited for."""
    if state.load_goal(host) is None:
        raise NoGoal("this Pi is in no cluster", "kubepi token new makes a token for one")
    known = _known(host)
    if dry_run:
        names = ", ".join(sorted(name for name, _ in known.values())) or "no other node"
        print(f"this Pi would have a new token, and give it to: {names}")
        return 0
    tokens = load(host)
    if tokens is not None and tokens.before:
        print("The last change goes on; there is no other token.", file=sys.stderr)
        change(host, lambda tokens: tokens)  # after a power cut it may not be in its place yet
    else:
        token = new_token(host.random("next token", RANDOM_BYTES))
        change(host, lambda tokens: rotation.begin(tokens, token, known))
    return _wait(host)


def _wait(host: Host) -> int:
    def behind() -> str | None:
        tokens = load(host) or Tokens("")
        return ", ".join(_names(host, tokens)) or None

    try:
        host.wait_until("all nodes to have the new token", behind, SECONDS)
    except StepFailed:
        print(f"The new token is in use. Not heard with it yet: {behind()}.")
        print("They get it when they are on; kubepi nodes forget NAME gives up one that is dead.")
        return 1
    print("All nodes have the new token. Change it in your kubepi.yaml: sudo kubepi token show")
    return 0


def _names(host: Host, tokens: Tokens) -> list[str]:
    if not tokens.before:
        return []
    return waited_for(tokens, _known(host)) or ["the agent"]  # it gives the old one up


def _known(host: Host) -> Mapping[str, tuple[str, str]]:
    saved = state.read_json(host, state.KNOWN) or {}
    return {name: (node, address) for name, (node, address) in saved.items()}
