"""This node's part in a change of the cluster's token: whom it believes, and getting the new one.

May touch: the token, and what is kept beside it. Tests: tests/unit/test_rotating.py.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubepi.decide import rotation
from kubepi.decide.adverts import Advert, decode, encode
from kubepi.decide.credentials import advert_key, depot_key
from kubepi.decide.rotation import Offer, Tokens, Trust
from kubepi.errors import KubepiError
from kubepi.lan.depot import fetch_text
from kubepi.machine.host import Host
from kubepi.machine.rotation import change, load

THING = "token"  # what a depot calls it
TRY_AGAIN = 5.0  # seconds

Known = Mapping[str, tuple[str, str]]  # node id -> name, address
Fetch = Callable[[str, str], str]  # address, token to ask with -> what the depot there has


@dataclass
class Rotating:
    """`ahead`: nodes that have a newer token: address, and the token that opens their depot.

    `found`: nodes that those wait for, and that were not known here; until the agent knows them.
    """

    host: Host
    own_id: str
    ahead: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    found: dict[str, tuple[str, str]] = field(default_factory=dict)
    not_before: float = 0.0

    def sign(self, advert: Advert) -> bytes | None:
        """The record, also for those who have only the token before; None without a token."""
        tokens = load(self.host)
        if tokens is None:
            return None
        before = advert_key(tokens.before) if tokens.before else None
        return encode(advert, advert_key(tokens.token), before)

    def judge(self, record: bytes, known: Known) -> str:
        """Why a record is not believed; "" if it is. Who has our token is not waited for."""
        tokens, advert = load(self.host), decode(record)
        if tokens is None:
            return "no token here"
        if advert is None:
            return Trust.NOT.value
        node, word = advert.node_id, advert.token
        trust = rotation.judge(tokens, record, node, known)

        def after(tokens: Tokens) -> Tokens:
            return rotation.settle(rotation.heard(tokens, trust, node, word), known)

        if after(tokens) != tokens:
            changed = change(self.host, after)
            if tokens.before and changed is not None and not changed.before:
                self.host.log.tell("agent: all have the new token: the one before is given up")
        by = rotation.to_ask_with(tokens, trust, word)
        if by is not None:
            self.ahead[node] = (advert.address, by)
        return Trust.NOT.value if trust is Trust.NOT else ""

    def settle(self, known: Known) -> None:
        """Somebody is not known any more, and not waited for either."""
        change(self.host, lambda tokens: rotation.settle(tokens, known))

    def wanted(self) -> bool:
        return bool(self.ahead) and self.host.monotonic() >= self.not_before

    def do(self, known: Known, fetch: Fetch) -> None:
        """Get the newer token; what fails is told and tried again."""
        self.not_before = self.host.monotonic() + TRY_AGAIN
        ahead, self.ahead = self.ahead, {}
        for address, by in ahead.values():
            tokens = load(self.host)
            if tokens is None or by not in (tokens.token, tokens.before):
                continue  # it came from another node meanwhile
            try:
                offer, waiting = _read(fetch(address, by), self.own_id)
            except (KubepiError, ValueError) as error:
                self.host.log.tell(f"agent: no token from {address} yet: {error}")
                continue
            self.found = {**self.found, **waiting}
            self._follow(offer, known, by)
            self.host.log.tell(f"agent: has the cluster's new token from {address}")

    def _follow(self, offer: Offer, known: Known, by: str) -> None:
        change(self.host, lambda tokens: rotation.follow(tokens, offer, known, by))


def offered(host: Host, known: Known) -> bytes | None:
    """What the depot gives to who asks for the token, with it or with the one before."""
    tokens = load(host)
    if tokens is None:
        return None
    waiting = {name: known[name] for name in sorted(tokens.waiting) if name in known}
    data = {"token": tokens.token, "number": tokens.number, "waiting": waiting}
    return json.dumps(data).encode()


def get_offer(host: Host, address: str, by: str) -> str:
    return fetch_text(host, depot_key(by), address, THING)


def opens(host: Host, thing: str) -> tuple[str, ...]:
    """The tokens that may ask this node's depot for a thing."""
    tokens = load(host)
    if tokens is None:
        return ()
    return (tokens.token, tokens.before) if thing == THING and tokens.before else (tokens.token,)


def _read(text: str, own_id: str) -> tuple[Offer, dict[str, tuple[str, str]]]:
    """
    Raises:
        ValueError: it is no offer.
    """
    try:
        data = json.loads(text)
        waiting = {str(name): (str(node), str(at)) for name, (node, at) in data["waiting"].items()}
        waiting.pop(own_id, None)
        return Offer(str(data["token"]), int(data["number"]), frozenset(waiting)), waiting
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no offer of a token: {error}") from error
