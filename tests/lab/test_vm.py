"""The plug is pulled five times during init in a virtual machine, where unsynced data is lost.

One init runs to its end, and at random moments of it the disk is copied as a cut would leave it
(vm.py says why that is the same). From each copy the machine is booted, and nobody touches it. The
seed is printed; KUBEPI_SEED repeats its random numbers. Two parts of about half an hour each, on a
machine that does nothing else: `tests/run --long vm` and `--long vm-late`.
"""

import filecmp
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from labrun import last_lines, wait_until
from vm import Vm
from vmarch import AMD64
from vmimage import vm_image
from vmlab import RELEASE, amd64_kit, first_boot, vm_lab

pytestmark = pytest.mark.lab
early, late = pytest.mark.long("vm"), pytest.mark.long("vm-late")
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
CUTS = 5
BETWEEN_SECONDS = (5.0, 15.0)
# From this line on the unit that goes on after a cut is on the disk.
SAFE = "service kubepi-resume.service enabled"
LOG = "/var/log/kubepi.log"
INIT_SECONDS = 1500
FINISH_SECONDS = 1200
ASK_SECONDS = 30.0  # a login costs the emulated machine a second or two
# The log as it grows, into the output of init: what a step does, and not only that it ended.
INIT = (
    f"touch {LOG}; tail --pid=$$ -n 0 -f {LOG} & "
    "exec python3 -I /root/kubepi.pyz init --kit /srv/kubepi-kit 2>&1"
)
THERE = "test -e /var/lib/kubepi/goal.json && ! test -e /var/lib/kubepi/pending"


@dataclass
class Init:
    """`kubepi init` as typed over ssh; what it and its log say, while it runs."""

    process: subprocess.Popen[str]
    start: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    safe_after: float | None = None

    def read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())
            if SAFE in line and line.startswith(("changed", "ok")):
                self.safe_after = time.monotonic() - self.start

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    @property
    def last_step(self) -> str:
        """The step that began last, of those that had something to do."""
        begun = [line for line in self.lines if line[19:].startswith("Z step ")]
        return begun[-1][26:] if begun else "none"

    def told(self) -> str:
        return last_lines("\n".join(self.lines), 40)


@dataclass(frozen=True)
class Cut:
    """What the disk holds if the plug is pulled `at` seconds after the start of init."""

    disk: Path
    at: float
    step: str
    last_line: str

    @property
    def told(self) -> str:
        return f"cut at {self.at:.0f} s, in the step {self.step}\n  last line: {self.last_line}"


@contextmanager
def running_init(vm: Vm) -> Iterator[Init]:
    """Its end of the connection is closed at the end; in the machine it may run on."""
    process = subprocess.Popen(
        vm.command(INIT), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    init = Init(process)
    reader = threading.Thread(target=init.read)
    reader.start()
    try:
        yield init
    finally:
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


def cut_at_random(vm: Vm, init: Init) -> list[Cut]:
    """CUTS moments between SAFE and the end of init, which goes on; any is as likely as another."""
    chance = random.Random(SEED)
    cuts: list[Cut] = []
    for number in count():
        wait_until(lambda: init.is_over, chance.uniform(*BETWEEN_SECONDS))
        # reservoir sampling: how many moments there will be is known at the end
        slot = number if number < CUTS else chance.randrange(number + 1)
        if init.is_over:
            break
        if slot < CUTS:
            cuts[slot : slot + 1] = [cut_now(vm, init, f"cut{slot}")]
    return sorted(cuts, key=lambda moment: moment.at)


def cut_now(vm: Vm, init: Init, name: str) -> Cut:
    with vm.standing_still():
        copy = shutil.copyfile(vm.disk, vm.disk.with_name(f"{name}.qcow2"))
        return Cut(copy, time.monotonic() - init.start, init.last_step, init.lines[-1])


def has_finished(vm: Vm) -> bool:
    return vm.ssh(THERE).returncode == 0


def is_ready(vm: Vm) -> bool:
    return vm.is_ready


def wait_finished(vm: Vm, what: str) -> None:
    """The goal is reached and the node Ready, without a hand on it."""
    end = time.monotonic() + FINISH_SECONDS
    for condition in (has_finished, is_ready):
        if not wait_until(partial(condition, vm), end - time.monotonic(), ASK_SECONDS):
            log = vm.ssh("tail", "-n", "60", LOG).stdout
            unit = vm.ssh("systemctl", "status", "--no-pager", "kubepi-resume").stdout
            pytest.fail(
                f"{what}: not {condition.__name__} after {FINISH_SECONDS} s\n{log}\n{unit}\n"
                + vm.diagnosis("did not finish")
            )


@pytest.fixture(scope="module")
def vm(pyz: Path) -> Iterator[Vm]:
    print(f"\nKUBEPI_SEED={SEED}", flush=True)
    with vm_lab(vm_image(RELEASE, AMD64), amd64_kit(), Vm) as vm:
        first_boot(vm, pyz)
        yield vm


@pytest.fixture(scope="module")
def cuts(vm: Vm) -> list[Cut]:
    """Those of an init that ends well, with no kubepi.yaml: a machine needs no waiver."""
    assert vm.ssh("test -e /etc/kubepi/kubepi.yaml").returncode == 1
    with running_init(vm) as init:
        safe = wait_until(lambda: init.safe_after is not None or init.is_over, INIT_SECONDS)
        assert safe and init.safe_after is not None, init.told()
        found = cut_at_random(vm, init)
        whole = time.monotonic() - init.start
    assert init.process.returncode == 0, init.told()
    print(f"init {whole:.0f} s, safe from {init.safe_after:.0f} s on", flush=True)
    return found


@early
def test_a_cut_loses_what_was_not_synced_and_a_finished_node_comes_back(
    vm: Vm, cuts: list[Cut]
) -> None:
    assert len(cuts) == CUTS
    wait_finished(vm, "the init that went on")
    vm.ask("echo synced > /root/synced; sync; echo unsynced > /root/unsynced")
    with vm.standing_still():
        copy = shutil.copyfile(vm.disk, vm.disk.with_name("copy.qcow2"))
        vm.cut()
    assert filecmp.cmp(copy, vm.disk, shallow=False)
    booted = vm.boot()
    start = time.monotonic()
    assert vm.ask("cat /root/synced") == "synced\n"
    assert "unsynced" not in vm.ssh("cat /root/unsynced").stdout
    wait_finished(vm, "a finished node after a cut")
    print(f"cut when finished: booted in {booted:.0f} s, Ready {time.monotonic() - start:.0f} s on")


@pytest.mark.parametrize(
    "number",
    [pytest.param(number, marks=early if number < 2 else late) for number in range(CUTS)],
)
def test_init_survives_a_power_cut(vm: Vm, cuts: list[Cut], number: int) -> None:
    vm.cut()
    cut = cuts[number]
    print(f"\n{cut.told}", flush=True)
    vm.disk = cut.disk
    booted = vm.boot()
    start = time.monotonic()
    wait_finished(vm, cut.told)
    print(f"  booted in {booted:.0f} s, finished {time.monotonic() - start:.0f} s on", flush=True)
