"""The disk of a virtual machine (the base root with a kernel and ssh, kept) and its boot.

Its own kernel, cgroup v2, udev and fsck at boot: what a container shares with the lab machine, a
virtual machine has for itself, as a Pi has.
"""

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from labbase import ALONE, BUILD_SECONDS, CACHE, base_root, forget_machine
from labmachine import found
from labrun import locked, run

PACKAGE_OF = {
    "mkfs.ext4": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
}
PACKAGES = ("initramfs-tools", "linux-image-amd64", "openssh-server", "zstd")
UNITS = ("ssh.service", "systemd-network-generator.service", "systemd-networkd.service")
NAME = "pi1"
MEMORY_MB = 4096
PROCESSORS = 2
MAC = "52:54:00:99:00:01"
KIT_LABEL = "kubepi-kit"
FILES = (
    ("etc/hostname", f"{NAME}\n"),
    ("etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{NAME}\n::1\t\tlocalhost ip6-localhost\n"),
    (
        "etc/fstab",
        "/dev/vda / ext4 defaults,noatime 0 1\n"
        f"LABEL={KIT_LABEL} /srv/kubepi-kit ext4 ro,nofail 0 0\n",
    ),
    # a small initrd: what the lab's machines have, and no other hardware
    ("etc/initramfs-tools/conf.d/lab", "MODULES=list\n"),
    ("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\n"),
)
# A container's; and a time service, for which each run would wait 90 s in vain: nothing here
# answers it, and the machine's clock is the lab machine's.
NOT_WANTED = ("lab-cgroups.service", "systemd-timesyncd.service")
NETWORK = """\
[Match]
Name=eth0

[Network]
Address={address}/24
Gateway={gateway}
"""
INSIDE = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


@dataclass(frozen=True)
class VmRecipe:
    """All that decides what is in the disk; the base's name carries a digest of its own."""

    base: str
    packages: tuple[str, ...] = PACKAGES
    units: tuple[str, ...] = UNITS
    disabled: tuple[str, ...] = NOT_WANTED
    files: tuple[tuple[str, str], ...] = FILES
    size: str = "6G"
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]
        return CACHE / f"vm-{digest}"


@dataclass(frozen=True)
class VmImage:
    """A folder with the disk, never written to again, and what QEMU boots it with."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"


def install_programs() -> None:
    """What a virtual machine needs of the lab machine besides the lab's own packages."""
    missing = sorted({package for program, package in PACKAGE_OF.items() if not found(program)})
    if missing:
        install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        if run(install, check=False).returncode != 0:
            run(["apt-get", "update"])
            run(install)


def vm_image(release: str) -> VmImage:
    """The image of that Debian release, made now if it is not there yet (about two minutes)."""
    install_programs()
    base = base_root(release)
    recipe = VmRecipe(base.name)
    with locked(f"kubepi-lab-{recipe.folder.name}", BUILD_SECONDS):
        if not recipe.folder.is_dir():
            build(recipe, base)
    return VmImage(recipe.folder)


def build(recipe: VmRecipe, base: Path) -> None:
    """Built aside and renamed: a folder of that name is always whole."""
    log = CACHE / f"{recipe.folder.name}.log"
    log.unlink(missing_ok=True)
    unfinished = recipe.folder.with_name(f"{recipe.folder.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    print(f"making the image {recipe.folder} (log: {log})", flush=True)
    root = unfinished / "root"
    run(["cp", "-a", str(base), str(root)], log=log)
    for name, text in recipe.files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "srv/kubepi-kit").mkdir()
    keep_preloaded = ["-o", "APT::Keep-Downloaded-Packages=false"]
    for command in (
        ["systemctl", "disable", *recipe.disabled],
        ["apt-get", *keep_preloaded, "install", "-y", "--no-install-recommends", *recipe.packages],
        ["systemctl", "enable", *recipe.units],
        ["update-initramfs", "-u"],
    ):
        run([*ALONE, "sh", "-c", INSIDE, str(root), *command], log=log)
    forget_machine(root)
    (root / "etc/hostname").write_text(dict(recipe.files)["etc/hostname"])
    for name in ("vmlinuz", "initrd.img"):
        shutil.copyfile((root / name).resolve(), unfinished / name)
    make_disk(root, unfinished / "disk.img", recipe.size, log)
    shutil.rmtree(root)
    unfinished.rename(recipe.folder)


def make_disk(root: Path, image: Path, size: str, log: Path) -> None:
    # -F: a journal and everything else as Debian makes a card, in a plain file
    run(["mkfs.ext4", "-q", "-F", "-d", str(root), str(image), size], log=log)


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


def qemu(
    image: VmImage, disk: Path, kit: Path, tap: str, credentials: Mapping[str, str]
) -> list[str]:
    """The command that runs the machine; systemd in it gets the credentials by their names."""
    words = ["root=/dev/vda", "ro", "console=ttyS0", "net.ifnames=0", "panic=10"]
    for name, content in credentials.items():
        value = base64.b64encode(content.encode()).decode()
        words.append(f"systemd.set_credential_binary={name}:{value}")
    disks = (
        f"file={disk},format=qcow2,if=virtio,cache=writeback",
        f"file={kit},format=raw,if=virtio,readonly=on",
    )
    return [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-nodefaults", "-display", "none",
        "-smp", str(PROCESSORS), "-m", str(MEMORY_MB), "-serial", "stdio",
        "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", " ".join(words),
        *(word for value in disks for word in ("-drive", value)),
        "-netdev", f"tap,id=lan,ifname={tap},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=lan,mac={MAC}", "-device", "virtio-rng-pci",
    ]  # fmt: skip
