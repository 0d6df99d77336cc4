"""The recipe of a kit from source: all that decides what is in it, and where it is kept.

Pinned are the programs, by the versions of their modules and Go's checksum database. Debian's
packages in the images are not: they are what its mirror has on that day.
"""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from kitimages import ARCHIVES, LAYERS, Image, Layer
from kitparts import DEBS, PARTS, Deb, Part
from labbase import CACHE
from labrun import run

SOURCES = Path(__file__).resolve().parent / "kit-src"
ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in a kit, but for Debian's packages of the day."""

    architecture: str
    parts: tuple[Part, ...]
    debs: tuple[Deb, ...]
    layers: tuple[Layer, ...]
    archives: tuple[tuple[str, tuple[Image, ...]], ...]
    release: str = "trixie"
    packages: tuple[str, ...] = ("busybox-static", "iptables", "nftables")
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode())
        for file in sorted(file for file in SOURCES.rglob("*") if file.is_file()):
            digest.update(file.read_bytes())
        return CACHE / f"kit-{self.architecture}-{digest.hexdigest()[:12]}"


def own_architecture() -> str:
    """This machine's, as dpkg names it."""
    return run(["dpkg", "--print-architecture"]).stdout.strip()


def recipe_for(architecture: str) -> Recipe:
    return Recipe(architecture, PARTS, DEBS, LAYERS, ARCHIVES)
