"""Cards for the lab's Pis, prepared as a user prepares them."""

import shutil
import subprocess
import sys
from pathlib import Path

from pis import KIT


def prepared_card(pyz: Path, folder: Path, files: dict[str, str], *options: str) -> Path:
    """A boot partition's folder with these files, as `kubepi.pyz sdcard` leaves it."""
    card = folder / "bootfs"
    shutil.rmtree(card, ignore_errors=True)
    card.mkdir(parents=True)
    for name, text in files.items():
        (card / name).write_text(text)
    subprocess.run(
        [sys.executable, "-I", str(pyz), "sdcard", str(card), *options],
        cwd=folder, check=True,
    )  # fmt: skip
    return card


def with_kit(card: Path) -> Path:
    """Its kubepi.yaml names the kit that the lab gives to its nodes."""
    with (card / "kubepi.yaml").open("a") as stream:
        stream.write(f"downloads:\n  kit: {KIT}\n")
    return card
