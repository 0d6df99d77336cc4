"""The lines of kubepi's block in /etc/hosts: the API's one name and the peers' names; pure.

Tests: tests/unit/test_hosts.py.
"""

from collections.abc import Collection, Mapping

from kubepi.decide.peerbook import Book, masters

LABEL = "names"
HOSTS = "/etc/hosts"


Known = Mapping[str, tuple[str, str]]  # node id -> name and address, kept over boots


def other_apis(book: Book, own_ca: str = "") -> list[str]:
    """Addresses of the masters that are heard, who was heard last first.

    One that only begins has no endpoint yet, and counts only where there is no other. `own_ca`:
    the hash of this node's CA; a master with another one has nothing to say to a member.
    """
    found = sorted(masters(book.values()), key=lambda peer: -peer.heard)
    of_ours = [p for p in found if own_ca in ("", p.advert.ca_hash) or not p.advert.ca_hash]
    begun = [peer for peer in of_ours if peer.advert.endpoint] or of_ours
    return list(dict.fromkeys(p.advert.address for p in begun if p.advert.address))


def api_address(own: str, others: list[str], ready: Collection[str], now: str) -> str:
    """The address that the API's name leads to; "" for none.

    `own` is that of this node if it is a master, else ""; `ready` are those whose API answers.
    A master uses its own API; else a name that leads to one that answers (`now`) stays. Where
    none answers nothing is gained by a change.
    """
    order = [*([own] if own else []), *(address for address in others if address != own)]
    if now in order:
        order.insert(1 if own else 0, now)
    if len(set(order)) < 2:
        return order[0] if order else ""
    return next((a for a in order if a in ready), now if now in order else order[0])


def address_of(name: str, text: str) -> str:
    """Where a name leads by a file like /etc/hosts; "" for nowhere."""
    rows = (line.partition("#")[0].split() for line in text.splitlines())
    return next((words[0] for words in rows if name in words[1:]), "")


def host_lines(
    api_name: str, api: str, book: Book, known: Known | None = None
) -> tuple[str, ...]:
    """Sorted and without doubles, so that the same peers give the same block.

    `api` is the address that the API's name leads to; "" for none.
    """
    first = (f"{api} {api_name}",) if api and api_name else ()
    # who was known before this boot keeps its line until it is heard
    named = {name: address for name, address in (known or {}).values() if name and address}
    for peer in sorted(book.values(), key=lambda peer: peer.heard):
        # the newest advert of a name counts, should a board have had two lives
        if peer.trusted and peer.advert.state == "leaving":
            named.pop(peer.advert.node, None)
        elif peer.trusted and peer.advert.node and peer.advert.address:
            named[peer.advert.node] = peer.advert.address
    return first + tuple(f"{address} {name}" for name, address in sorted(named.items()))
