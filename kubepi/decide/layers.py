"""What images consist of, and how far their download is: ctr's answers read; pure.

Tests: tests/unit/test_layers.py.
"""

import hashlib
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# units.HumanSize of docker/go-units: decimal, four digits
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
HUMAN = re.compile(r"^(\d+(?:\.\d+)?)(B|kB|MB|GB|TB)$")
WINDOW = 20.0  # seconds that the rate is taken over
LEAST = 3.0  # seconds before a rate is worth saying
# A layer is kept as it came (compressed) and unpacked, about three times as large.
UNPACKED = 3


def digests(listed: str) -> dict[str, str]:
    """Reference -> digest, of `ctr images list`."""
    rows = (line.split() for line in listed.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2 and row[2].startswith("sha256:")}


def complete(checked: str) -> set[str]:
    """References that are downloaded whole and unpacked, of `ctr images check`."""
    rows = (line.split() for line in checked.splitlines()[1:])
    return {row[0] for row in rows if "complete" in row[3:4] and row[-1] == "true"}


def human_bytes(text: str) -> int:
    """`11.95MB` as bytes; 0 for what is no size."""
    found = HUMAN.match(text)
    return 0 if found is None else round(float(found[1]) * UNITS[found[2]])


def arriving(active: str) -> dict[str, int]:
    """Digest -> bytes that are here, of what `ctr content active` shows."""
    rows = (line.split() for line in active.splitlines()[1:])
    found = (row for row in rows if len(row) > 1 and "-sha256:" in row[0])
    return {row[0].partition("-")[2]: human_bytes(row[1]) for row in found}


def digest(text: str) -> str:
    """What an index or a manifest is known by, of its text."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def is_manifest(text: str) -> bool:
    """Whether it is an index or a manifest, and not a web page or worse."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    lists = found.get("manifests", found.get("layers")) if isinstance(found, dict) else None
    return isinstance(lists, list)


def manifest_for(index: Mapping[str, Any], architecture: str) -> str | None:
    """Digest of the manifest for linux on dpkg's architecture; None if it is no index."""
    for entry in index.get("manifests", ()):
        platform = entry.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            return str(entry["digest"])
    return None


def layer_sizes(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Digest -> bytes to download, of everything an image of one platform consists of."""
    parts = [*manifest.get("layers", ()), *filter(None, [manifest.get("config")])]
    return {str(part["digest"]): int(part["size"]) for part in parts}


def room_needed(sizes: Mapping[str, int], here: set[str]) -> int:
    """Bytes that the layers which are still to come take on the disk."""
    return sum(size for digest, size in sizes.items() if digest not in here) * (1 + UNPACKED)


def megabytes(count: int) -> str:
    return f"{count / 10**6:.0f}" if count >= 10**7 else f"{count / 10**6:.1f}"


@dataclass
class Pace:
    """How fast bytes come: the newest samples of (seconds, bytes)."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)
    still_since: float | None = None

    def note(self, now: float, done: int) -> None:
        if self.still_since is None or self.samples[-1][1] != done:
            self.still_since = now
        self.samples.append((now, done))
        while self.samples[0][0] < now - WINDOW:
            self.samples.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while there is too little to tell."""
        (start, first), (end, last) = self.samples[0], self.samples[-1]
        return max(0.0, (last - first) / (end - start)) if end - start >= LEAST else 0.0

    def line(self, total: int) -> str:
        """`41 of 187 MB, 2.1 MB/s, 70 s left`."""
        done = self.samples[-1][1]
        words = [f"{megabytes(done)} of {megabytes(total)} MB"]
        if self.rate > 0:
            left = round(max(0, total - done) / self.rate)
            spoken = f"{left} s" if left < 120 else f"{round(left / 60)} min"
            words += [f"{megabytes(round(self.rate))} MB/s", f"{spoken} left"]
        return ", ".join(words)
