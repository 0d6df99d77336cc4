"""This node's part in a change of the cluster's token: whom it believes, and getting the new one.

May touch: the token, and what is kept beside it. Tests: tests/unit/test_rotating.py.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from kubepi.decide import rotation
from kubepi.decide.adverts import Advert, decode, encode
from kubepi.decide.credentials import advert_key, depot_key, normalise_token
from kubepi.decide.rotation import Offer, Tokens, Trust
from kubepi.errors import KubepiError
from kubepi.lan.depot import fetch_text
from kubepi.machine.host import Host
from kubepi.machine.rotation import change, load

THING = "token"  # what a depot calls it
TRY_AGAIN = 5.0  # seconds

Known = Mapping[str, tuple[str, str]]  # node id -> name, address
Fetch = Callable[[str, str], str]  # address, token to ask with -> what the depot there has


@dataclass(frozen=True)
class Fetched:
    """A newer token from `address`, asked for with the token `by`; whom the giver waits for."""

    offer: Offer
    by: str = field(repr=False)
    waiting: Known
    address: str


@dataclass
class Rotating:
    """`ahead`: nodes that have a newer token: address, and the token that opens their depot.

    `fetched`: tokens that are to be followed once the agent has written down whom they wait for.
    """

    host: Host
    own_id: str
    ahead: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    fetched: list[Fetched] = field(default_factory=list)
    not_before: float = 0.0

    def sign(self, advert: Advert) -> bytes | None:
        """The record, also for those who have only the token before; None without a token."""
        tokens = load(self.host)
        if tokens is None:
            return None
        before = advert_key(tokens.before) if tokens.before else None
        return encode(advert, advert_key(tokens.token), before)

    def begin(self) -> None:
        """What a power cut in a change left between two files is put right."""
        change(self.host, lambda tokens: rotation.settle(tokens, ()))

    def judge(self, record: bytes, known: Known) -> str:
        """Why a record is not believed; "" if it is. Who has our token is not waited for."""
        advert, trust = decode(record), Trust.NOT
        if advert is None:
            return trust.value
        node, word = advert.node_id, advert.token

        def hear(tokens: Tokens) -> Tokens:
            """By the tokens of this very moment: a command may have changed them."""
            nonlocal trust
            trust = rotation.judge(tokens, record, node, known)
            by = rotation.to_ask_with(tokens, trust, word)
            if by is not None and advert.address:
                self.ahead[node] = (advert.address, by)
            after = rotation.heard(tokens, trust, node, word)
            if tokens.before and not after.before:
                self.host.log.tell("agent: all have the new token: the one before is given up")
            return after

        if change(self.host, hear) is None:
            return "no token here"
        return trust.value if trust is Trust.NOT else ""

    def settle(self, gone: Collection[str]) -> None:
        """Those were forgotten, and are not waited for either."""
        change(self.host, lambda tokens: rotation.settle(tokens, gone))

    def with_waited(self, known: Known) -> dict[str, tuple[str, str]]:
        """Whoever is waited for can be named, by the id where the name was lost."""
        tokens = load(self.host)
        lost = frozenset() if tokens is None else tokens.waiting - set(known)
        return {**known, **{name: (name, "") for name in lost}}

    def wanted(self) -> bool:
        return bool(self.ahead) and self.host.monotonic() >= self.not_before

    def do(self, fetch: Fetch) -> None:
        """Get the newer token; what fails is told and tried again.

        Between two attempts, which may take their time, other duties have their turn.
        """
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
            self.fetched.append(Fetched(offer, by, waiting, address))
        self.not_before = self.host.monotonic() + TRY_AGAIN

    def newer(self) -> list[Fetched]:
        """What was fetched since the last call, and is newer than what is here."""
        found = [self.fetched.pop(0) for _ in range(len(self.fetched))]
        tokens = load(self.host) if found else None
        if tokens is None:
            return []
        return [one for one in found if rotation.follow(tokens, one.offer, (), one.by) != tokens]

    def follow(self, newer: Sequence[Fetched], known: Known) -> None:
        """`known`: with those whom the givers wait for, on the disk."""
        for one in newer:
            before = load(self.host)
            how = partial(rotation.follow, offer=one.offer, known=known, by=one.by)
            if change(self.host, how) != before:
                self.host.log.tell(f"agent: has the cluster's new token from {one.address}")


def offered(host: Host, known: Known) -> bytes | None:
    """What the depot gives to who asks for the token, with it or with the one before."""
    tokens = load(host)
    if tokens is None:
        return None
    waiting = {name: known.get(name, (name, "")) for name in sorted(tokens.waiting)}
    have = sorted(set(known) - tokens.waiting)
    data = {"token": tokens.token, "number": tokens.number, "waiting": waiting, "have": have}
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
        ValueError, KubepiError: it is no offer.
    """
    try:
        data = json.loads(text)
        waiting = {str(name): (str(node), str(at)) for name, (node, at) in data["waiting"].items()}
        waiting.pop(own_id, None)
        have = frozenset(str(name) for name in data["have"])
        return Offer(normalise_token(str(data["token"])), int(data["number"]), have), waiting
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no offer of a token: {error}") from error
