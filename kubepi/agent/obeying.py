"""What this node does at a trusted node's wish, once for each.

May touch: what the wish is about. Tests: tests/unit/test_wish.py.
"""

from dataclasses import dataclass, field

from kubepi.decide.peerbook import Book
from kubepi.decide.wish import CHECK_SHARE, Wish, new_wishes
from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host


@dataclass
class Obeying:
    """`obeyed`: the number of the last wish, by the id of who asked."""

    host: Host
    obeyed: dict[str, str] = field(default_factory=dict)

    def wanted(self, book: Book, node: str) -> bool:
        return bool(new_wishes(book, node, self.obeyed, self.host.monotonic()))

    def do(self, book: Book, node: str) -> None:
        for name, wish in new_wishes(book, node, self.obeyed, self.host.monotonic()).items():
            self.obeyed[name] = wish.number
            asker = book[name].advert.node
            self.host.log.tell(f"agent: {asker} asks for {wish.verb} ({wish.number})")
            try:
                self._obey(wish, node)
            except KubepiError as error:
                self.host.log.tell(f"agent: {wish.verb} failed: {error.sentence}")

    def _obey(self, wish: Wish, node: str) -> None:
        from kubepi.steps.share_check import check_share  # only when asked: the agent stays small

        share = state.followed_share(self.host)
        if wish.verb == CHECK_SHARE and share is not None:
            check_share(self.host, share, node, wish.number)
        elif wish.verb != CHECK_SHARE:
            self.host.log.tell(f"agent: {wish.verb} is a wish of a newer kubepi")
