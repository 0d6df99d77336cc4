"""kubepi.log on a prepared card: what a Pi without a screen did, for any computer to read.

The FAT partition is small, is written at the end of a step only, and its errors stop nothing.
Tests: tests/unit/test_cardlog.py.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from kubepi.machine.host import Host
from kubepi.steps.card import RECORD

NAME = "kubepi.log"
LARGEST = 256 * 1024  # bytes; then it begins anew


def card_log(host: Host, boot_folder: str | None) -> Callable[[str], None] | None:
    """What writes a line there; None where no card was prepared."""
    if boot_folder is None or not host.exists(f"{boot_folder}{RECORD}"):
        return None
    path = host.path(f"{boot_folder}/{NAME}")

    def write(line: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(host.now()))
        # a card that is full or read-only: /var/log/kubepi.log has it all
        with suppress(OSError):
            is_full = path.exists() and path.stat().st_size > LARGEST
            with path.open("w" if is_full else "a", encoding="utf-8") as stream:
                stream.write(f"{stamp} {host.log.redact(line)}\n")

    return write
