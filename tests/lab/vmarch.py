"""The kinds of virtual machines, as data: what QEMU is told and what Debian calls things."""

from dataclasses import dataclass

from labmachine import install_packages

MEMORY_MB = 4096
PROCESSORS = 2
PACKAGE_OF = {"mkfs.ext4": "e2fsprogs", "qemu-img": "qemu-utils", "ssh": "openssh-client"}


@dataclass(frozen=True)
class Architecture:
    """By Debian's name of it; the emulator's Debian package; the console's name in Linux."""

    name: str
    emulator: str
    package: str
    console: str
    options: tuple[str, ...] = ()

    @property
    def kernel(self) -> str:
        """Debian's package of it."""
        return f"linux-image-{self.name}"

    def command(self) -> list[str]:
        """QEMU with processors, memory and a console on its stdout, and nothing else yet."""
        return [
            self.emulator, *self.options, "-accel", "tcg,thread=multi", "-nodefaults",
            "-display", "none", "-smp", str(PROCESSORS), "-m", str(MEMORY_MB), "-serial", "stdio",
        ]  # fmt: skip

    def install_programs(self) -> None:
        """What such a machine needs of the lab machine, and what every lab does."""
        install_packages()
        install_packages({**PACKAGE_OF, self.emulator: self.package})


AMD64 = Architecture("amd64", "qemu-system-x86_64", "qemu-system-x86", "ttyS0")
# a Raspberry Pi 4's processor; the machine is QEMU's own, for which Debian's kernel has all drivers
ARM64 = Architecture(
    "arm64", "qemu-system-aarch64", "qemu-system-arm", "ttyAMA0",
    ("-machine", "virt", "-cpu", "cortex-a72"),
)  # fmt: skip
