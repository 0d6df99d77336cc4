"""A virtual Pi in a virtual machine: what a power cut does to data that was not synced yet.

Pulling the plug is a SIGKILL of QEMU. Lost with it are:
- the page cache of the machine: all that no program synced and the kernel did not write back yet;
- what it wrote but did not flush. The disk is a qcow2 file with cache=writeback: QEMU puts the data
  there at once, but keeps in its own memory where in the file a newly written block lies until the
  guest flushes. Blocks written after the last flush mostly hold what they held before, some not:
  as with the volatile cache of an SD card or SSD, without an order.
Not lost is what was flushed: QEMU's process ends, not the machine below it.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import labnet
from labclone import Clone, this_clone
from lablife import take_down
from labmachine import install_packages, resolv_conf, set_sysctls
from labnodes import find_kit
from labrun import LabError, last_lines, locked, run, wait_until
from vmimage import NETWORK, VmImage, make_kit_disk, make_overlay, qemu, vm_image

RELEASE = "trixie"
LOCK_SECONDS = 60
BOOT_SECONDS = 400
STOP_SECONDS = 200
SSH_SECONDS = 60
SSH_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=20", "IdentitiesOnly=yes", "LogLevel=ERROR",
    "ServerAliveInterval=30", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
)  # fmt: skip
Done = subprocess.CompletedProcess[str]


@dataclass
class Vm:
    """One virtual machine; its disk is a file, and survives a cut like a card does."""

    clone: Clone
    image: VmImage
    address: str
    gateway: str
    disk: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def console(self) -> Path:
        """The serial console's output, of all boots."""
        return self.clone.state / "console.log"

    @property
    def key(self) -> Path:
        return self.clone.state / "key"

    @property
    def kit(self) -> Path:
        return self.clone.state / "kit.img"

    def boot(self) -> float:
        """Switch it on and wait until it answers; how many seconds that took."""
        start = time.monotonic()
        with self.console.open("ab") as console:
            # it must not outlive the test run, however that ends
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._qemu()],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_until(lambda: not self.is_on or self.ssh("true").returncode == 0, BOOT_SECONDS, 2.0)
        if not self.is_on or self.ssh("true").returncode:
            raise LabError(self.diagnosis("does not answer"))
        return time.monotonic() - start

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cut(self) -> None:
        """Pull the plug; the text at the top says what is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def shut_down(self) -> None:
        """In good order, with everything on the disk."""
        self.ssh("systemctl", "poweroff")
        if not wait_until(lambda: not self.is_on, STOP_SECONDS, 0.5):
            raise LabError(self.diagnosis("does not power off"))
        self.cut()

    def ssh(self, *argv: str, stdin: str = "", seconds: float = SSH_SECONDS) -> Done:
        """A shell command in it, whatever its exit code; 255 if it does not answer in time."""
        command = self.command(*argv)
        try:
            return subprocess.run(
                command, input=stdin, capture_output=True, text=True, errors="replace",
                timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 255, "", f"no answer in {seconds:.0f} s")

    def ask(self, *argv: str, stdin: str = "") -> str:
        """What a command in it prints; it must succeed."""
        done = self.ssh(*argv, stdin=stdin)
        if done.returncode:
            raise LabError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
        return done.stdout

    def command(self, *argv: str) -> list[str]:
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        return ["ssh", "-i", str(self.key), *options, f"root@{self.address}", *argv]

    def push(self, file: Path, target: str) -> None:
        """Copy a file into it; on its disk when this returns."""
        with file.open("rb") as stream:
            command = self.command(f"cat > {target} && sync {target}")
            subprocess.run(command, stdin=stream, check=True, timeout=300)

    def diagnosis(self, what: str) -> str:
        power = "on" if self.is_on else "off"
        said = self.console.read_text(errors="replace")
        return f"the virtual machine {what} (power: {power}); its console:\n{last_lines(said, 30)}"

    def _qemu(self) -> list[str]:
        credentials = {
            "ssh.authorized_keys.root": self.key.with_suffix(".pub").read_text(),
            # not ip=: for that the initrd would wait for a network that it has no driver for
            "network.network.50-lab": NETWORK.format(address=self.address, gateway=self.gateway),
        }
        return qemu(self.image, self.disk, self.kit, tap(self.clone), credentials)


def vm_clone() -> Clone:
    """Names of its own on this machine: the containers of this clone can be up beside it."""
    return Clone(this_clone().path / "vm")


def tap(clone: Clone) -> str:
    """The machine's end of the cable; named as a container's, so that `take_down` finds it."""
    return f"vb-{clone.machine('vm')}"


@contextmanager
def vm_lab() -> Iterator[Vm]:
    """A network, a kit and a virtual machine, still off, on a fresh disk; nothing is left of it."""
    install_packages()
    image, kit = vm_image(RELEASE), find_kit(this_clone(), None)
    if kit is None:
        raise LabError("a virtual machine gets its Kubernetes from a kit: KUBEPI_KIT=DIR")
    clone = vm_clone()
    with locked(clone.mark, LOCK_SECONDS):
        take_down(clone)  # what a run left that was killed
        vm: Vm | None = None
        try:
            vm = prepare(clone, image, Path(kit))
            yield vm
        finally:
            if vm is not None:
                vm.cut()
            take_down(clone)


def prepare(clone: Clone, image: VmImage, kit: Path) -> Vm:
    set_sysctls()
    clone.state.mkdir(mode=0o700, parents=True)
    subnet = labnet.claim_subnet(clone)
    labnet.make_network(clone, subnet)
    run(["ip", "tuntap", "add", tap(clone), "mode", "tap"])
    run(["ip", "link", "set", tap(clone), "master", clone.bridge, "up"])
    address, gateway = labnet.node_address(subnet, 1), labnet.gateway(subnet)
    vm = Vm(clone, image, str(address), str(gateway), clone.state / "first.qcow2")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubepi-lab", "-f", str(vm.key)])
    make_overlay(image.disk, vm.disk)
    make_kit_disk(kit, vm.kit)
    return vm


def first_boot(vm: Vm, kubepi: Path) -> None:
    """As a card that booted once: machine-id made, kubepi.pyz on it, no kubepi.yaml."""
    vm.boot()
    vm.ask("cat > /etc/resolv.conf", stdin=resolv_conf())
    vm.push(kubepi, "/root/kubepi.pyz")


def fresh_disk(vm: Vm, below: Path, name: str) -> None:
    """Give it (off) a disk that begins as `below`; the one of the run before is thrown away."""
    if vm.disk != below:
        vm.disk.unlink()
    vm.disk = below.with_name(f"{name}.qcow2")
    make_overlay(below, vm.disk)
