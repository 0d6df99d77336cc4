"""A virtual Pi in a virtual machine: what a power cut does to data that was not synced yet.

Pulling the plug is a SIGKILL of QEMU. Lost with it are:
- the page cache of the machine: all that no program synced and the kernel did not write back yet;
- what it wrote but did not flush. The disk is a qcow2 file with cache=writeback: QEMU puts the data
  there at once, but keeps in its own memory where in the file a newly written block lies until the
  guest flushes. Blocks written after the last flush mostly hold what they held before, some not:
  as with the volatile cache of an SD card or SSD, without an order.
Not lost is what was flushed: QEMU's process ends, not the machine below it. So the disk's file is
at any moment what a cut at that moment leaves, and a copy of it, made while QEMU stands still, is
the disk of a machine that was cut then.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from labclone import Clone
from labrun import LabError, last_lines, wait_until
from vmimage import MAC, NETWORK, VmImage, make_overlay, qemu
from vmroot import NAME

BOOT_SECONDS = 900
STOP_SECONDS = 600
SSH_SECONDS = 60
SSH_OPTIONS = (
    "BatchMode=yes", "ConnectTimeout=20", "IdentitiesOnly=yes", "LogLevel=ERROR",
    "ServerAliveInterval=30", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
)  # fmt: skip
BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Of the node that the API knows: which boot its kubelet spoke of last, and whether it was well.
NODES = (
    "kubectl get nodes -o jsonpath="
    "'{range .items[*]}{.metadata.name} {.status.nodeInfo.bootID} "
    "{.status.conditions[?(@.type==\"Ready\")].status}{end}'"
)
Done = subprocess.CompletedProcess[str]


@dataclass
class Vm:
    """One virtual machine; its disk is a file, and survives a cut like a card does.

    `number`: of those on one network, from 1 on.
    """

    clone: Clone
    image: VmImage
    address: str
    gateway: str
    disk: Path
    number: int = 1
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def console(self) -> Path:
        """The serial console's output, of all boots."""
        return self.clone.state / f"console{self.number}.log"

    @property
    def key(self) -> Path:
        return self.clone.state / "key"

    @property
    def kit(self) -> Path:
        return self.clone.state / "kit.img"

    def boot(self) -> float:
        """Switch it on and wait until it answers; how many seconds that took."""
        start = time.monotonic()
        self.switch_on()
        wait_until(lambda: not self.is_on or self.ssh("true").returncode == 0, BOOT_SECONDS, 2.0)
        if not self.is_on or self.ssh("true").returncode:
            raise LabError(self.diagnosis("does not answer"))
        return time.monotonic() - start

    def switch_on(self) -> None:
        """Power, and nothing else: who asks, and when it answers, is for the caller."""
        with self.console.open("ab") as console:
            # it must not outlive the test run, however that ends
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._machine()],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cut(self) -> None:
        """Pull the plug; the text at the top says what is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Not one of its processors or writes goes on meanwhile; it may be cut then."""
        if self._process is None:
            raise LabError(self.diagnosis("is off"))
        self._process.send_signal(signal.SIGSTOP)
        # returns when all its threads have stopped
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            if self._process is not None:
                self._process.send_signal(signal.SIGCONT)

    def shut_down(self, verb: str = "poweroff") -> None:
        """In good order, with everything on the disk."""
        self.ssh("systemctl", verb)
        if not wait_until(lambda: not self.is_on, STOP_SECONDS, 0.5):
            raise LabError(self.diagnosis("does not power off"))
        self.cut()

    def reboot(self) -> None:
        """In good order; it answers again when this returns."""
        before = self.ask("cat", BOOT_ID)
        self.ssh("systemctl", "reboot")

        def is_back() -> bool:
            done = self.ssh("cat", BOOT_ID)
            return done.returncode == 0 and done.stdout != before

        wait_until(lambda: not self.is_on or is_back(), BOOT_SECONDS, 2.0)
        if not self.is_on or not is_back():
            raise LabError(self.diagnosis("does not come back"))

    @property
    def is_ready(self) -> bool:
        """It is the only node of its cluster, and Ready since it was booted."""
        booted = self.ssh("cat", BOOT_ID).stdout.strip()
        return self.ssh(NODES).stdout.split() == [NAME, booted, "True"]

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

    def show(self, *argv: str) -> int:
        """A shell command in it, its lines printed as they come; its exit code."""
        process = subprocess.Popen(
            self.command(f"{{ {' '.join(argv)}; }} 2>&1"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        with process:
            try:
                for line in process.stdout or ():
                    print(f"{NAME} | {line}", end="", flush=True)
            except BaseException:
                process.kill()
                raise
        return process.returncode

    def push(self, file: Path, target: str) -> None:
        """Copy a file into it; on its disk when this returns."""
        with file.open("rb") as stream:
            command = self.command(f"cat > {target} && sync {target}")
            subprocess.run(command, stdin=stream, check=True, timeout=300)

    def diagnosis(self, what: str) -> str:
        power = "on" if self.is_on else "off"
        said = self.console.read_text(errors="replace")
        return f"the virtual machine {what} (power: {power}); its console:\n{last_lines(said, 30)}"

    def make_disk(self) -> None:
        """A fresh one, as the image's."""
        make_overlay(self.image.disk, self.disk)

    def _machine(self) -> list[str]:
        """The program that is this machine, with its options."""
        words, drives = self.more()
        return qemu(
            self.image, self.disk, self.kit, self.cable, self.credentials(), words, drives
        )

    @property
    def cable(self) -> tuple[str, str]:
        """The tap device and the MAC address at its end."""
        return tap(self.clone, self.number), MAC.format(number=self.number)

    def credentials(self) -> dict[str, str]:
        """For systemd in it: who may come in, and its network."""
        return {
            "ssh.authorized_keys.root": self.key.with_suffix(".pub").read_text(),
            # not ip=: for that the initrd would wait for a network that it has no driver for
            "network.network.50-lab": NETWORK.format(address=self.address, gateway=self.gateway),
        }

    def more(self) -> tuple[list[str], list[str]]:
        """Words for the kernel and disks that only some machines have."""
        return [], []


def tap(clone: Clone, number: int) -> str:
    """The machine's end of the cable; named as a container's, so that `take_down` finds it."""
    return f"vb-{clone.machine(f'vm{number}')}"
