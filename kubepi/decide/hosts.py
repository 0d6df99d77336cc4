"""The lines of kubepi's block in /etc/hosts: the API's one name and the peers' names; pure."""

from collections.abc import Mapping

from kubepi.decide.peerbook import Book, masters

LABEL = "names"
HOSTS = "/etc/hosts"


Known = Mapping[str, tuple[str, str]]  # node id -> name and address, kept over boots


def host_lines(
    api_name: str, own_address: str, is_master: bool, book: Book, known: Known | None = None
) -> tuple[str, ...]:
    """Sorted and without doubles, so that the same peers give the same block.

    The API's name leads to this node if it is the master, else to the master that was heard.
    """
    found = masters(book.values())
    # of two, one is long gone: the one heard last
    last = max(found, key=lambda peer: peer.heard, default=None)
    api = own_address if is_master else ("" if last is None else last.advert.address)
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
