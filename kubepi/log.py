"""The log of everything that was run: /var/log/kubepi.log, root-only and without secrets.

A Raspberry Pi's journal is volatile, so after a power cut this file is what tells the reason.
"""

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LOG_FILE = "/var/log/kubepi.log"
LARGEST = 8_000_000  # bytes; then it becomes kubepi.log.1, and that one goes
HIDDEN = "[secret]"


class Log:
    """Appends lines with a UTC time; a full or read-only disk never stops the work itself."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._secrets: list[str] = []
        self.lost: str = ""

    def hide(self, value: str) -> None:
        """Keep `value` out of every later line; a second net, since nothing should print it."""
        if len(value) >= 8 and value not in self._secrets:
            self._secrets.append(value)

    def redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def line(self, text: str) -> None:
        if self._file is None:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = "".join(f"{stamp} {line}\n" for line in self.redact(text).splitlines() or [""])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                self._file.chmod(0o600)
                stream.write(lines)
                is_full = stream.tell() > LARGEST
            if is_full:
                self._file.replace(self._file.with_suffix(".log.1"))
        except OSError as error:
            self.lost = f"{self._file}: {error.strerror}"

    def tell(self, text: str) -> None:
        """To the log, and to stderr: of what systemd runs that is the journal."""
        print(self.redact(text), file=sys.stderr, flush=True)
        self.line(text)

    def command(
        self, argv: Sequence[str], code: int, output: str, seconds: float, most_lines: int = 200
    ) -> None:
        """A command that changed something with all it said; one that looked, with little."""
        lines = output.strip().splitlines()
        left_out = [f"… {len(lines) - most_lines} lines more"] if len(lines) > most_lines else []
        said = "".join(f"\n  {line}" for line in [*lines[:most_lines], *left_out])
        self.line(f"$ {shlex.join(argv)}  # exit {code}, {seconds:.1f} s{said}")
