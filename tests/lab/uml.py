"""A virtual Pi as a User-mode Linux machine: Debian's kernel as a program of the lab machine.

Its programs run on the lab machine's processor and not an emulated one, so that Kubernetes with its
power cuts takes minutes and not hours. What differs from the machines of vm.py: one processor and
no cpusets (kubeadm wants two and those; vmshare.py waives it), the older packet filter (umlkit.py),
no initrd, disks named ubda, ubdb, …

Pulling the plug is a SIGKILL of all its processes: lost is the page cache of the machine, kept what
its kernel wrote. The options are those of docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html.
"""

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import vmroot
from labbase import ALONE, CACHE, base_root
from labmachine import install_packages
from labrun import run
from vm import Vm
from vmarch import AMD64, PACKAGE_OF
from vmimage import VmImage, credential_words, made
from vmlab import RELEASE

PROGRAM = "linux.uml"
ROOT = "libraries"  # in the image's folder: the root of the release that the program was built for
MEMORY = "4G"
# such a disk has no serial number; its place is what stays
RULE = 'KERNEL=="ubd[a-z]", SYMLINK+="disk/by-id/ubd-$kernel"\n'
# kubelet does not start where the processor says no clock speed (cAdvisor, machine.go)
CLOCK_UNIT = """\
[Unit]
Description=A clock speed among the facts of the processor
DefaultDependencies=no
Before=sysinit.target
After=systemd-remount-fs.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sh -ec 'sed "/^bogomips/i cpu MHz: 1500.000" /proc/cpuinfo > /run/cpuinfo; \\
    mount --bind /run/cpuinfo /proc/cpuinfo'

[Install]
WantedBy=sysinit.target
"""
FILES = (
    *((name, text.replace("/dev/vda", "/dev/ubda")) for name, text in vmroot.FILES),
    ("etc/udev/rules.d/60-lab.rules", RULE),
    ("etc/systemd/system/lab-clock.service", CLOCK_UNIT),
)
# in the root of the release that it was built for; gone with its own process and mount namespaces
INSIDE = """\
mount --rbind /dev "$0/dev"
mount --rbind "$1" "$0/opt"
mount --rbind "$2" "$0/mnt"
mount -t proc proc "$0/proc"
shift 2
exec chroot "$0" env -i PATH=/usr/bin:/usr/sbin HOME=/mnt TMPDIR=/dev/shm "$@"
"""


@dataclass(frozen=True)
class UmlRecipe(vmroot.VmRecipe):
    """The same card with another kernel."""

    packages: tuple[str, ...] = tuple(sorted((*vmroot.PACKAGES, "user-mode-linux")))
    units: tuple[str, ...] = (*vmroot.UNITS, "lab-clock.service")
    files: tuple[tuple[str, str], ...] = FILES
    edition: int = 2

    def take_kernel(self, root: Path, folder: Path, log: Path) -> None:
        for name in ("iptables", "ip6tables"):  # as the images of its kit
            older = ["update-alternatives", "--set", name, f"/usr/sbin/{name}-legacy"]
            run([*ALONE, "sh", "-c", vmroot.INSIDE, str(root), *older], log=log)
        (folder / ROOT).symlink_to(CACHE / self.base)
        shutil.move(root / "usr/bin" / PROGRAM, folder / PROGRAM)
        for modules in (root / "usr/lib/uml/modules").iterdir():
            shutil.move(modules, root / "usr/lib/modules" / modules.name)


@dataclass
class Uml(Vm):
    """One machine; its disks are plain files."""

    def make_disk(self) -> None:
        run(["cp", "--sparse=always", str(self.image.disk), str(self.disk)])

    def disks(self) -> list[str]:
        """As its kernel names them; r: read only."""
        return [f"ubd0={self.inside(self.disk)}", f"ubd1r={self.inside(self.kit)}"]

    def inside(self, file: Path) -> str:
        """Where the program finds a file of the clone."""
        return f"/mnt/{file.relative_to(self.clone.state)}"

    def cut(self) -> None:
        """Returns when the last of its processes is gone: the next boot needs its disk."""
        if self._process is None:
            return
        # the first of their namespace, with which all others end; its parent is in none
        first = run(["pgrep", "--parent", str(self._process.pid)], check=False).stdout.split()
        if self.is_on and first:
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(int(first[0]), signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        self._process = None

    def reboot(self) -> None:
        """In good order; it answers again when this returns."""
        self.shut_down("reboot")
        self.boot()

    def _machine(self) -> list[str]:
        tap, mac = self.cable
        # the kernel and its programs take turns, and hand over far faster on one processor
        processor = str(self.number % (os.cpu_count() or 1))
        return [
            *ALONE, "taskset", "--cpu-list", processor, "sh", "-ec", INSIDE,
            str(self.image.folder / ROOT), str(self.image.folder), str(self.clone.state),
            f"/opt/{PROGRAM}", f"mem={MEMORY}", *self.disks(), "root=/dev/ubda", "ro",
            "con=null", "con0=null,fd:1", "console=tty0", "net.ifnames=0",
            # a kernel that begins anew in the same process still holds the network device
            "noreboot", "panic=10",
            # gro: else it drops what comes in larger than a packet, as it does over a tap
            f"vec0:transport=tap,ifname={tap},mac={mac},depth=128,gro=1",
            *credential_words(self.credentials()),
        ]  # fmt: skip


def uml_image() -> VmImage:
    install_packages()
    install_packages(PACKAGE_OF)
    return made(UmlRecipe(base_root(RELEASE).name), AMD64)
