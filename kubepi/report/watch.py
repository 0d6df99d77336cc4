"""The live table of `nodes --watch`: every Pi with its state, its step, and for how long.

Tests: tests/unit/test_watch.py.
"""

import sys
from dataclasses import dataclass, field
from typing import TextIO

from kubepi.decide.peerbook import Book, Peer
from kubepi.report.table import table

COLUMNS = ("NAME", "ADDRESS", "BOARD", "ROLE", "STATE", "FOR", "STEP")


@dataclass
class Watch:
    """Draws over its own last picture on a terminal; elsewhere a line for each change."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    since: dict[str, tuple[str, float]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    drawn: int = 0

    def show(self, book: Book, now: float) -> None:
        """`now` and what is heard when: seconds of the same clock."""
        peers = sorted(book.items(), key=lambda entry: (not entry[1].trusted, entry[1].advert.node))
        rows = {name: self._row(name, peer, now) for name, peer in peers}
        if self.stream.isatty():
            self._draw([COLUMNS, *rows.values()])
        else:
            self._tell(rows)
        self.stream.flush()

    def _row(self, name: str, peer: Peer, now: float) -> tuple[str, ...]:
        advert = peer.advert
        word = "silent" if peer.is_silent(now) else advert.state
        if self.since.get(name, ("", 0.0))[0] != word:
            self.since[name] = (word, now)
        step = advert.progress if peer.trusted else f"not trusted: {peer.why}"
        return (
            advert.node or "?", advert.address or "?", advert.board or "?", advert.role, word,
            f"{now - self.since[name][1]:.0f} s", step,
        )  # fmt: skip

    def _draw(self, rows: list[tuple[str, ...]]) -> None:
        up = f"\033[{self.drawn}A\033[J" if self.drawn else ""
        lines = table(rows)
        self.drawn = len(lines)
        print(up + "\n".join(lines), file=self.stream)

    def _tell(self, rows: dict[str, tuple[str, ...]]) -> None:
        for name, row in rows.items():
            node, address, _board, role, word, _seconds, step = row
            line = f"{node} ({address}) {role} {word} {step}".rstrip()
            if self.told.get(name) != line:
                self.told[name] = line
                print(line, file=self.stream)
