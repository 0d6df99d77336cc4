"""A virtual machine that boots from a card: a FAT partition, read by what plays the firmware.

A Raspberry Pi's firmware gives cmdline.txt to the kernel at every boot, behind words of its own,
one of which (cgroup_disable=memory) Raspberry Pi's kernels take back at cgroup_enable=memory. The
second word is theirs alone, so here the first is left out where the second is.
"""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from labbase import forget_machine
from labmachine import install_packages
from labpios import HOST_NAME, root_of
from labrun import LabError, run, wait_until
from vm import BOOT_SECONDS, Vm
from vmarch import AMD64
from vmimage import VmImage, made
from vmlab import RELEASE
from vmroot import FILES, VmRecipe

LABEL = "BOOTFS"
SIZE_MB = 512  # as Raspberry Pi Imager makes it
PACKAGE_OF = {"mkfs.vfat": "dosfstools", "mcopy": "mtools"}
BOOT_LINE = f"LABEL={LABEL} /boot/firmware vfat defaults 0 2\n"  # as Raspberry Pi OS has it
# the card's own words for this machine; `resize`: never booted
CMDLINE = "console=ttyS0 root=/dev/vda rootfstype=ext4 fsck.repair=yes rootwait resize\n"
MOST_BOOTS = 6


@dataclass(frozen=True)
class CardVmRecipe(VmRecipe):
    """Raspberry Pi OS's ways, with a boot partition beside the root."""

    packages: tuple[str, ...] = (*VmRecipe.packages, "dosfstools")
    files: tuple[tuple[str, str], ...] = tuple(
        (name, text + BOOT_LINE if name == "etc/fstab" else text) for name, text in FILES
    )

    def settle(self, root: Path) -> None:
        forget_machine(root)
        (root / "etc/machine-id").write_text("uninitialized\n")
        (root / "etc/hostname").write_text(f"{HOST_NAME}\n")
        hosts = root / "etc/hosts"
        hosts.write_text(hosts.read_text().replace("pi1", HOST_NAME))
        # as in the lab's containers, but for the login of the lab itself
        run(["ssh-keygen", "-A", "-f", str(root)])


def card_image() -> VmImage:
    """Made now if it is not there yet (about three minutes)."""
    AMD64.install_programs()
    install_packages(PACKAGE_OF)
    return made(CardVmRecipe(root_of("pios", RELEASE).name), AMD64)


@dataclass
class CardVm(Vm):
    """Its firmware starts it again when it reboots, with what cmdline.txt says then."""

    boots: int = field(default=0, init=False)

    @property
    def card(self) -> Path:
        return self.clone.state / "card.img"

    def put_card(self, files: Path) -> None:
        """A fresh card with the files of a folder on its boot partition."""
        self.card.unlink(missing_ok=True)
        run(["mkfs.vfat", "-n", LABEL, "-C", str(self.card), str(SIZE_MB * 1024)])
        names = [str(file) for file in sorted(files.iterdir())]
        run(["mcopy", "-s", "-i", str(self.card), *names, "::"])

    def on_card(self, name: str) -> str | None:
        """A file of the boot partition, as it is on the disk; None where there is none."""
        with TemporaryDirectory() as folder:
            target = Path(folder, "file")
            command = ["mcopy", "-n", "-i", str(self.card), f"::{name}", str(target)]
            done = subprocess.run(command, capture_output=True, check=False)
            return target.read_text() if done.returncode == 0 else None

    def more(self) -> tuple[list[str], list[str]]:
        line = (self.on_card("cmdline.txt") or "").split()
        firmware = [] if "cgroup_enable=memory" in line else ["cgroup_disable=memory"]
        drive = f"file={self.card},format={self.card_format},if=virtio,cache=writeback"
        return [*firmware, *line], [drive]

    card_format = "raw"

    def _machine(self) -> list[str]:
        return [*super()._machine(), "-no-reboot"]

    def switch_on(self) -> None:
        super().switch_on()
        self.boots += 1

    def run_until(self, condition: Callable[[], bool], seconds: float, every: float) -> None:
        """Switched on again by its firmware after each reboot, until that holds.

        Raises:
            LabError: it does not in time, or reboots for ever.
        """
        end = time.monotonic() + seconds
        while True:
            if not self.is_on:
                if self.boots >= MOST_BOOTS:
                    raise LabError(self.diagnosis(f"was booted {self.boots} times"))
                self.switch_on()
            wait_until(lambda: not self.is_on or condition(), end - time.monotonic(), every)
            if self.is_on and condition():
                return
            if time.monotonic() > end:
                raise LabError(self.diagnosis(f"is not so far after {seconds:.0f} s"))

    def boot(self) -> float:
        """Until it answers; how many seconds that took."""
        start = time.monotonic()
        self.run_until(lambda: self.ssh("true").returncode == 0, BOOT_SECONDS, 2.0)
        return time.monotonic() - start
