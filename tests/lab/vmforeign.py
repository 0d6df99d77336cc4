"""The disk of a virtual machine whose programs this machine cannot run: it finishes itself.

debootstrap only unpacks Debian here. Its second stage, and what else runs programs of the disk,
happens in the emulator, with the disk's own kernel and a small initramfs.
"""

import hashlib
import re
import shlex
import shutil
import subprocess
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import labbase
from labbase import ALONE, CACHE, PRELOADED, write_sources
from labmachine import Mirror
from labrun import LabError, last_lines, run
from vmarch import Architecture
from vminitrd import initramfs
from vmroot import FILES, PACKAGES, SIZE, UNITS, make_disk, write_files

EMULATED_SECONDS = 3 * 3600
# crc32c_generic: ext4 asks for it by name at run time, and nothing in the initramfs would answer
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "ext4", "crc32c_generic")
KERNEL_PACKAGES = ("linux-image-[0-9]", "busybox-static")
NOT_WANTED = ("systemd-timesyncd.service",)  # as in vmroot
FINISHED = "the disk is finished"
# The network is QEMU's own, which needs nothing of the lab machine and has fixed addresses.
INIT = f"""\
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod "$module"; done
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
mount -t ext4 /dev/vda /root &&
    mount --bind /dev /root/dev &&
    chroot /root /bin/sh -ex /finish &&
    rm /root/finish && umount /root/dev && umount /root && echo "{FINISHED}"
poweroff -f
"""
FINISH = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
echo nameserver 10.0.2.3 > /etc/resolv.conf
/debootstrap/debootstrap --second-stage ||
    {{ tail -n 30 /debootstrap/debootstrap.log; exit 1; }}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
{commands}
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id
umount /sys /proc
"""


@dataclass(frozen=True)
class ForeignRecipe:
    """All that decides what is in the disk."""

    release: str
    mirror: Mirror
    architecture: Architecture
    packages: tuple[str, ...] = (*labbase.PACKAGES, *PACKAGES, "busybox-static")
    preloaded: tuple[str, ...] = PRELOADED
    units: tuple[str, ...] = UNITS
    disabled: tuple[str, ...] = NOT_WANTED
    files: tuple[tuple[str, str], ...] = FILES
    init: str = INIT
    script: str = FINISH
    size: str = SIZE
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]
        return CACHE / f"vm-{self.architecture.name}-{digest}"

    @property
    def finish_script(self) -> str:
        """What runs on the disk itself; debs to be installed later are kept, as in labbase."""
        commands = (
            ("systemctl", "disable", *self.disabled),
            ("apt-get", "update"),
            ("apt-get", "clean"),
            ("apt-get", "install", "-y", "--download-only", *self.preloaded),
            ("systemctl", "enable", *self.units),
        )
        return self.script.format(commands="\n".join(shlex.join(command) for command in commands))

    def build(self, folder: Path, log: Path) -> None:
        root, disk = folder / "root", folder / "disk.img"
        unpack(self, root, log)
        write_sources(self.release, self.mirror, root)
        write_files(root, self.files)
        (root / "finish").write_text(self.finish_script)
        with TemporaryDirectory(dir=folder) as name:
            kernel = boot_files(root, Path(name), self.init, log)
            make_disk(root, disk, self.size, log)
            shutil.rmtree(root)
            finish(self.architecture, kernel, disk, log)
        for name in ("vmlinuz", "initrd.img"):
            copy_from_disk(disk, name, folder / name)


def unpack(recipe: ForeignRecipe, root: Path, log: Path) -> None:
    """What debootstrap can do without running a program of that architecture."""
    packages = (*recipe.packages, recipe.architecture.kernel)
    run(
        [
            *ALONE, "debootstrap", "--foreign", f"--arch={recipe.architecture.name}",
            "--variant=minbase", f"--include={','.join(packages)}",
            recipe.release, str(root), recipe.mirror.main,
        ],
        log=log,
    )  # fmt: skip


def boot_files(root: Path, folder: Path, init: str, log: Path) -> Path:
    """The kernel, out of the packages that wait to be installed; its initramfs beside it."""
    for pattern in KERNEL_PACKAGES:
        package = next(root.glob(f"var/cache/apt/archives/{pattern}*.deb"))
        run(["dpkg-deb", "-x", str(package), str(folder)], log=log)
    (folder / "initrd.img").write_bytes(initramfs(folder, MODULES, init))
    kernel = next(folder.glob("boot/vmlinuz-*"))
    return kernel.rename(folder / "vmlinuz")


def finish(architecture: Architecture, kernel: Path, disk: Path, log: Path) -> None:
    """Let the machine run until it switches itself off; its console goes to the log."""
    command = [
        # it must not outlive this program, however that ends
        "setpriv", "--pdeathsig", "KILL", *architecture.command(), "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(kernel.with_name("initrd.img")),
        "-append", f"console={architecture.console} panic=-1",
        "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe",
        "-netdev", "user,id=nat", "-device", "virtio-net-pci,netdev=nat",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip
    with log.open("ab") as console:
        try:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                timeout=EMULATED_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{disk} is not finished after {EMULATED_SECONDS} s: {log}") from error
    said = log.read_text(errors="replace")
    if FINISHED not in said:
        raise LabError(f"{disk} could not be finished (all of it: {log})\n{last_lines(said, 40)}")


def copy_from_disk(disk: Path, link: str, target: Path) -> None:
    """The file that a link in the root folder points to, as vmlinuz does to the newest kernel."""
    about = run(["debugfs", "-R", f"stat /{link}", str(disk)]).stdout
    points_to = re.search(r'link dest: "([^"]+)"', about)
    if points_to is None:
        raise LabError(f"no /{link} on {disk}:\n{about}")
    run(["debugfs", "-R", f"dump /{points_to[1]} {target}", str(disk)])
    if not target.is_file() or target.stat().st_size == 0:
        raise LabError(f"{disk} has no file /{points_to[1]}")
