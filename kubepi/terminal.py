"""Progress on stderr: one line per step, in place on a terminal, plain elsewhere."""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from kubepi.machine.runner import Counts

LOG_SECONDS = 30.0
COLOURS = {"ok": "2", "changed": "32", "would change": "33", "reboot": "33", "failed": "31"}


class Terminal:
    """Shows steps as they go; `quiet_ok` leaves out what was right already.

    `copy` gets each whole line too that tells of a change or a failure.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        quiet_ok: bool = False,
        copy: Callable[[str], None] | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._in_place = self._stream.isatty()
        self._colour = self._in_place and "NO_COLOR" not in os.environ
        self._quiet_ok = quiet_ok
        self._copy = copy
        self._began = time.monotonic()
        self._text = ""
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None
        self._said = ""
        self._said_at = 0.0

    def begin(self, step: str) -> None:
        self._began = time.monotonic()
        self._text = step
        self._said = ""
        if self._in_place:
            self._stop.clear()
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def waiting(self, what: str) -> None:
        self._text = what
        # without a terminal: now and then, so that a log stays readable
        kind, now = what.partition(":")[0], time.monotonic()
        if not self._in_place and (kind != self._said or now - self._said_at > LOG_SECONDS):
            self._said, self._said_at = kind, now
            print(f"{'...':12} {what}", file=self._stream, flush=True)

    def end(self, status: str, step: str, finding: str) -> None:
        seconds = time.monotonic() - self._began
        if self._ticker is not None:
            self._stop.set()
            self._ticker.join()
            self._ticker = None
            print("\r\033[K", end="", file=self._stream)
        if status == "ok" and self._quiet_ok:
            return
        took = f" ({seconds:.0f} s)" if seconds >= 1 else ""
        words = f"{step}: {finding}" if finding else step
        print(f"{self._paint(status)} {words}{took}", file=self._stream, flush=True)
        if status != "ok":
            self.keep(f"{status:12} {words}{took}")

    def summary(self, counts: Counts, seconds: float, verb: str = "changed") -> None:
        """The last line: `23 steps: 20 ok, 3 changed, 0 failed (41 s)`."""
        text = (
            f"{counts.steps} steps: {counts.ok} ok, {counts.changed} {verb}, "
            f"{counts.failed} failed ({seconds:.0f} s)"
        )
        print(text, file=self._stream, flush=True)
        self.keep(text)

    def note(self, text: str) -> None:
        """Something the user has to know besides the steps."""
        clear = "\r\033[K" if self._in_place else ""
        print(f"{clear}{'note':12} {text}", file=self._stream, flush=True)

    def keep(self, text: str) -> None:
        """Only for the copy."""
        if self._copy is not None:
            self._copy(text)

    def _paint(self, status: str) -> str:
        padded = f"{status:12}"
        return f"\033[{COLOURS[status]}m{padded}\033[0m" if self._colour else padded

    def _tick(self) -> None:
        # a serial console has no width
        width = os.get_terminal_size(self._stream.fileno()).columns or 80
        while not self._stop.wait(0.3):
            took = f" ({time.monotonic() - self._began:.0f} s)"
            text = f"{'…':12} {self._text}"[: width - 1 - len(took)]
            print(f"\r\033[K{text}{took}", end="", file=self._stream, flush=True)
