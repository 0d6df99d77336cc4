"""The cluster's one secret, made by the first node.

May touch: the token's root-only file. Tests: tests/laws, tests/unit/test_credentials.py.
"""

from dataclasses import dataclass

from kubepi.decide.credentials import new_token
from kubepi.decide.goal import TOKEN
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding


@dataclass(frozen=True)
class TokenMade:
    """A token is there; one that was given or made before stays."""

    @property
    def name(self) -> str:
        return "cluster token"

    def check(self, host: Host) -> Finding | None:
        return Finding("is not made yet") if state.read_secret(host, TOKEN) is None else None

    def apply(self, host: Host) -> None:
        state.save_secret(host, TOKEN, new_token(host.random("cluster token", 20)))
