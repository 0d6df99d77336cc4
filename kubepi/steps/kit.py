"""An offline kit on its way: from a computer to a card, and off the card to the Pi's own disk.

The boot partition is small, and upgrades of the kernel write to it. May touch: the folder
kubepi-kit on a card, /var/lib/kubepi/kit. Tests: tests/steps/test_kit.py.
"""

from dataclasses import dataclass
from pathlib import Path

from kubepi.decide.kit import Kit
from kubepi.errors import StepFailed
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import CONTENTS, ON_CARD, OWN_KIT, open_kit, read_kit, verified
from kubepi.machine.step import Finding
from kubepi.steps.card import file_mode, record, recorded

KEEP_FREE = 150_000_000  # bytes, for kernels


def files_of(kit: Kit) -> tuple[str, ...]:
    """Names of its files; the contents come last, so that a folder with them is whole."""
    return (*(file.path for file in (*kit.packages, *kit.images)), CONTENTS)


@dataclass(frozen=True)
class CardKit:
    """A kit's files on the card; `source` is their folder on the computer that writes it."""

    source: str
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"kit {self.source}"

    def _missing(self, host: Host) -> list[str]:
        """By size: their checksums are looked at when they are used."""
        folder, there = Path(self.source), host.path(f"/{ON_CARD}")
        return [
            name
            for name in self.files
            if not (there / name).is_file()
            or (there / name).stat().st_size != (folder / name).stat().st_size
        ]

    def check(self, host: Host) -> Finding | None:
        missing = self._missing(host)
        count = f"{len(missing)} of {len(self.files)}"
        return Finding(f"{count} files are missing") if missing else None

    def apply(self, host: Host) -> None:
        missing = self._missing(host)
        needed = sum((Path(self.source) / name).stat().st_size for name in missing)
        free = host.free_bytes("/")
        if needed + KEEP_FREE > free:
            raise StepFailed(
                f"the kit needs {needed / 1e6:.0f} MB, the card's first partition has "
                f"{free / 1e6:.0f} MB free, and {KEEP_FREE / 1e6:.0f} MB are left to kernels",
                "leave --kit out, and name a kit on a USB disk as downloads.kit",
            )
        record(host, "folders", list({*recorded(host, "folders"), ON_CARD}))
        for name in missing:
            content = (Path(self.source) / name).read_bytes()
            host.write(f"/{ON_CARD}/{name}", content, file_mode(host))


@dataclass(frozen=True)
class KitOffCard:
    """The kit that came on the card is on the Pi's disk now, and on the card no more."""

    boot_folder: str

    @property
    def name(self) -> str:
        return "kit off the card"

    @property
    def _folder(self) -> str:
        return f"{self.boot_folder}/{ON_CARD}"

    def check(self, host: Host) -> Finding | None:
        return Finding("is on it") if host.exists(self._folder) else None

    def apply(self, host: Host) -> None:
        if host.exists(f"{self._folder}/{CONTENTS}"):
            kit = open_kit(host, self._folder)
            for file in (*kit.packages, *kit.images):
                content = Path(verified(host, self._folder, file)).read_bytes()
                host.write(f"{OWN_KIT}/{file.path}", content)
            host.write(f"{OWN_KIT}/{CONTENTS}", host.read(f"{self._folder}/{CONTENTS}") or "")
            host.remove(f"{self._folder}/{CONTENTS}")
        read_kit(host, OWN_KIT)
        host.remove_tree(self._folder)
