"""Which clone this lab belongs to: every name on the machine derives from the clone's path."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

STATES = Path("/var/lib/kubepi-lab")


@dataclass(frozen=True)
class Clone:
    """A checkout of kubepi; two of them can have labs at the same time."""

    path: Path

    @property
    def id(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:6]

    @property
    def state(self) -> Path:
        """The folder with all that this lab keeps; it is there while a lab is up."""
        return STATES / self.id

    @property
    def bridge(self) -> str:
        return f"kpl-{self.id}"

    @property
    def mark(self) -> str:
        """What this lab's cgroups are called and its iptables rules carry as their comment."""
        return f"kubepi-lab-{self.id}"

    def folder(self, node: str) -> Path:
        return self.state / node

    def machine(self, node: str) -> str:
        """The name systemd-nspawn knows a node by; its network device here is vb-MACHINE."""
        return f"{node}-{self.id}"

    @property
    def boards(self) -> Path:
        return self.path / "tests/boards"

    @property
    def config(self) -> Path:
        """The kubepi.yaml that each node of the lab is given."""
        return self.path / "tests/lab/kubepi.yaml"


def this_clone() -> Clone:
    return Clone(Path(__file__).resolve().parents[2])
