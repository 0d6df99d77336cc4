"""The disk of a virtual machine (the base root with a kernel and ssh, kept) and its boot.

Its own kernel, cgroup v2, udev and fsck at boot: what a container shares with the lab machine, a
virtual machine has for itself, as a Pi has.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labbase import CACHE, aside, base_root
from labmachine import debian_mirror
from labrun import locked, run
from vmarch import AMD64, Architecture
from vmforeign import EMULATED_SECONDS, ForeignRecipe
from vmroot import KIT_LABEL, VmRecipe

MAC = "52:54:00:99:00:{number:02x}"
NETWORK = """\
[Match]
Name=eth0 vec0

[Network]
Address={address}/24
Gateway={gateway}
"""


@dataclass(frozen=True)
class VmImage:
    """A folder with the disk, never written to again, and what QEMU boots it with."""

    folder: Path
    architecture: Architecture

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"


def vm_image(release: str, architecture: Architecture) -> VmImage:
    """The image of that Debian release, made now if it is not there yet.

    That takes about two minutes, or twenty if the architecture is not this machine's.
    """
    architecture.install_programs()
    recipe: VmRecipe | ForeignRecipe
    if architecture == AMD64:
        recipe = VmRecipe(base_root(release).name)
    else:
        recipe = ForeignRecipe(release, debian_mirror(), architecture)
    return made(recipe, architecture)


def made(recipe: VmRecipe | ForeignRecipe, architecture: Architecture) -> VmImage:
    """The image of a recipe, built once and kept."""
    with locked(f"kubepi-lab-{recipe.folder.name}", EMULATED_SECONDS):
        if not recipe.folder.is_dir():
            build(recipe)
    return VmImage(recipe.folder, architecture)


def build(recipe: VmRecipe | ForeignRecipe) -> None:
    """Built aside and renamed: a folder of that name is always whole."""
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished, log = aside(recipe.folder, "image")
    unfinished.mkdir(mode=0o700)
    recipe.build(unfinished, log)
    unfinished.rename(recipe.folder)


def make_kit_disk(kit: Path, image: Path) -> None:
    """The offline kit as a file system of its own, for a disk that is read only."""
    used = sum(file.stat().st_size for file in kit.rglob("*") if file.is_file())
    megabytes = used * 11 // 10 // 2**20 + 16
    options = ["-q", "-F", "-O", "^has_journal", "-L", KIT_LABEL, "-d", str(kit)]
    run(["mkfs.ext4", *options, str(image), f"{megabytes}M"])


def make_overlay(below: Path, overlay: Path) -> None:
    """A disk that begins as `below` and keeps what is written to itself."""
    kind = "raw" if below.suffix == ".img" else "qcow2"
    names = ["-b", os.fspath(below), os.fspath(overlay)]
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, *names])


def credential_words(credentials: Mapping[str, str]) -> list[str]:
    """For a kernel's command line, where systemd finds them."""
    encoded = {name: base64.b64encode(text.encode()) for name, text in credentials.items()}
    return [
        f"systemd.set_credential_binary={name}:{value.decode()}" for name, value in encoded.items()
    ]


def qemu(
    image: VmImage,
    disk: Path,
    kit: Path,
    cable: tuple[str, str],
    credentials: Mapping[str, str],
    words: Sequence[str] = (),
    drives: Sequence[str] = (),
) -> list[str]:
    """The command that runs the machine; systemd in it gets the credentials by their names.

    `cable` is the tap device and the MAC address at its end, `words` come last on its kernel's
    command line, `drives` are further disks.
    """
    console = f"console={image.architecture.console}"
    words = ["root=/dev/vda", "ro", console, "net.ifnames=0", "panic=10", *words]
    words += credential_words(credentials)
    disks = (
        f"file={disk},format=qcow2,if=virtio,cache=writeback",
        f"file={kit},format=raw,if=virtio,readonly=on",
        *drives,
    )
    return [
        *image.architecture.command(),
        "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join(words),
        *(word for value in disks for word in ("-drive", value)),
        "-netdev", f"tap,id=lan,ifname={cable[0]},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=lan,mac={cable[1]}", "-device", "virtio-rng-pci",
    ]  # fmt: skip
