"""What is on a virtual machine's disk: the base root with a kernel and ssh."""

import hashlib
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path

from labbase import ALONE, CACHE, forget_machine
from labrun import run
from vmarch import AMD64

# rsync is part of Raspberry Pi OS (pi-gen, stage2/01-sys-tweaks/00-packages); to unpack it here
# takes an emulated machine minutes
PACKAGES = ("initramfs-tools", "openssh-server", "rsync", "zstd")
UNITS = ("ssh.service", "systemd-network-generator.service", "systemd-networkd.service")
NAME = "pi1"
KIT_LABEL = "kubepi-kit"
KIT_FOLDER = "srv/kubepi-kit"
FILES = (
    ("etc/hostname", f"{NAME}\n"),
    ("etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{NAME}\n::1\t\tlocalhost ip6-localhost\n"),
    (
        "etc/fstab",
        "/dev/vda / ext4 defaults,noatime 0 1\n"
        f"LABEL={KIT_LABEL} /{KIT_FOLDER} ext4 ro,nofail 0 0\n",
    ),
    # a small initrd: what the lab's machines have, and no other hardware
    ("etc/initramfs-tools/conf.d/lab", "MODULES=list\n"),
    ("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\n"),
)
# A container's; and a time service, for which each run would wait 90 s in vain: nothing here
# answers it, and the machine's clock is the lab machine's.
NOT_WANTED = ("lab-cgroups.service", "systemd-timesyncd.service")
INSIDE = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
SIZE = "6G"


@dataclass(frozen=True)
class VmRecipe:
    """All that decides what is in the disk; the base's name carries a digest of its own."""

    base: str
    packages: tuple[str, ...] = tuple(sorted((*PACKAGES, AMD64.kernel)))
    units: tuple[str, ...] = UNITS
    disabled: tuple[str, ...] = NOT_WANTED
    files: tuple[tuple[str, str], ...] = FILES
    size: str = SIZE
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]
        return CACHE / f"vm-{digest}"

    def build(self, folder: Path, log: Path) -> None:
        """A copy of the base, whose programs run on this machine, is finished in place."""
        root = folder / "root"
        run(["cp", "-a", str(CACHE / self.base), str(root)], log=log)
        write_files(root, self.files)
        keep_preloaded = ["-o", "APT::Keep-Downloaded-Packages=false"]
        install = ["apt-get", *keep_preloaded, "install", "-y", "--no-install-recommends"]
        for command in (
            ["systemctl", "disable", *self.disabled],
            [*install, *self.packages],
            ["systemctl", "enable", *self.units],
        ):
            run([*ALONE, "sh", "-c", INSIDE, str(root), *command], log=log)
        self.take_kernel(root, folder, log)
        self.settle(root)
        make_disk(root, folder / "disk.img", self.size, log)
        shutil.rmtree(root)

    def take_kernel(self, root: Path, folder: Path, log: Path) -> None:
        """What the machine is booted with, beside its disk."""
        run([*ALONE, "sh", "-c", INSIDE, str(root), "update-initramfs", "-u"], log=log)
        for name in ("vmlinuz", "initrd.img"):
            shutil.copyfile((root / name).resolve(), folder / name)

    def settle(self, root: Path) -> None:
        """As on a card that was never booted."""
        forget_machine(root)
        (root / "etc/hostname").write_text(dict(self.files)["etc/hostname"])


def write_files(root: Path, files: tuple[tuple[str, str], ...]) -> None:
    for name, text in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / KIT_FOLDER).mkdir(parents=True)


def make_disk(root: Path, image: Path, size: str, log: Path) -> None:
    # -F: a journal and everything else as Debian makes a card, in a plain file
    run(["mkfs.ext4", "-q", "-F", "-d", str(root), str(image), size], log=log)
