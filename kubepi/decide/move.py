"""A move of the share's data from one place to another: what is known of it, as plain data; pure.

It is saved before anything is changed, and after each phase: whatever interrupts it, the next run
goes on where it was. The old place is the truth until the switch. Tests: tests/unit/test_move.py.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kubepi.decide.share import MASTER, NONE, is_address, share_folder, share_server, stable_disk
from kubepi.decide.values import Wrong, quoted

PHASES = ("begun", "copied", "stopped", "verified", "switched", "followed", "done")
SETTINGS = ("server", "path", "device")  # of storage.nfs


@dataclass(frozen=True)
class Place:
    """Where data is, in the words of the settings storage.nfs.*."""

    server: str
    path: str
    device: str = ""

    @property
    def where(self) -> str:
        """The disk, or the folder and who has it: two places with the same are one."""
        return self.device or f"{self.server}:{self.path}"

    def is_within(self, other: "Place") -> bool:
        return f"{self.path}/".startswith(f"{other.path}/")

    def __str__(self) -> str:
        if is_address(self.server):
            return f"{self.server}:{self.path}"
        return f"{self.path} on {self.device}" if self.device else self.path

    @staticmethod
    def of(settings: Mapping[str, Any]) -> "Place":
        return Place(*(str(settings[f"storage.nfs.{name}"]) for name in SETTINGS))

    @property
    def settings(self) -> dict[str, str]:
        return {f"storage.nfs.{name}": getattr(self, name) for name in SETTINGS}


@dataclass(frozen=True)
class User:
    """What uses the share and is stopped meanwhile; `replicas` is what it had, -1 for no number."""

    kind: str
    namespace: str
    name: str
    replicas: int

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Move:
    source: Place
    target: Place
    phase: str = PHASES[0]
    users: tuple[User, ...] = ()
    forgotten: bool = False

    def has_reached(self, phase: str) -> bool:
        return PHASES.index(self.phase) >= PHASES.index(phase)

    @property
    def is_over(self) -> bool:
        return self.has_reached("done")

    @property
    def has_data(self) -> bool:
        """Whether there is anything to copy."""
        return self.source.server != NONE

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Move":
        users = tuple(User(**user) for user in data["users"])
        source, target = Place(**data["source"]), Place(**data["target"])
        return Move(source, target, data["phase"], users, data["forgotten"])


def parse_target(text: str, taken: tuple[str, ...]) -> Place:
    """A folder of the master, a disk of the master by its stable id, or ADDRESS:/PATH of a NAS.

    `taken` are the paths in use: a disk gets one of its own beside them.

    Raises:
        Wrong: it is none of these.
    """
    if text.startswith("/dev/"):
        free = (f"/srv/kubepi-{number}" for number in range(2, len(taken) + 3))
        return Place(MASTER, next(path for path in free if path not in taken), stable_disk(text))
    outside = re.fullmatch(r"([0-9.]+):(/.*)", text)
    if outside is not None:
        return Place(share_server(outside[1]), share_folder(outside[2]))
    if text.startswith("/"):
        return Place(MASTER, share_folder(text))
    raise Wrong(
        f"{quoted(text)} is no place for the share",
        "write a folder (/srv/new), a disk (/dev/disk/by-id/…), or a NAS (192.168.1.9:/export/pi)",
    )
