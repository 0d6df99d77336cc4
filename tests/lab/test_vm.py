"""The plug is pulled five times during init in a virtual machine, where unsynced data is lost.

The seed is printed; KUBEPI_SEED repeats it. Every init starts from the same disk, that of a machine
that booted once; nobody touches the machine after a cut.
"""

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from labrun import last_lines, wait_until
from vm import Vm
from vmarch import AMD64
from vmimage import vm_image
from vmlab import RELEASE, amd64_kit, first_boot, fresh_disk, vm_lab

pytestmark = [pytest.mark.lab, pytest.mark.long("vm")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
CUTS = 5
# From this line on the unit that goes on after a cut is on the disk.
SAFE = "service kubepi-resume.service enabled"
LOG = "/var/log/kubepi.log"
INIT_SECONDS = 1500
FINISH_SECONDS = 1200
ASK_SECONDS = 15.0  # a login costs the emulated machine a second or two
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


@dataclass
class Session:
    """The virtual machine, the disk that each init starts from, and how long an init takes."""

    vm: Vm
    first_disk: Path
    safe_after: float = 0.0
    whole: float = 0.0

    def boot_fresh(self, name: str) -> float:
        self.vm.cut()
        fresh_disk(self.vm, self.first_disk, name)
        return self.vm.boot()

    def moment(self, number: int) -> float:
        """When to pull the plug, in seconds after the line SAFE."""
        return random.Random(f"{SEED} {number}").uniform(0, self.whole - self.safe_after)


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
def session(pyz: Path) -> Iterator[Session]:
    print(f"\nKUBEPI_SEED={SEED}", flush=True)
    with vm_lab(vm_image(RELEASE, AMD64), amd64_kit()) as vm:
        first_boot(vm, pyz)
        vm.shut_down()
        yield Session(vm, vm.disk)


@pytest.fixture(scope="module")
def measured(session: Session) -> Session:
    """An init that nobody disturbs, with no kubepi.yaml: a machine needs no waiver."""
    vm = session.vm
    booted = session.boot_fresh("undisturbed")
    assert vm.ssh("test -e /etc/kubepi/kubepi.yaml").returncode == 1
    with running_init(vm) as init:
        assert wait_until(lambda: init.is_over, INIT_SECONDS, 0.5), init.told()
        session.whole = time.monotonic() - init.start
    assert init.process.returncode == 0, init.told()
    assert init.safe_after is not None, init.told()
    session.safe_after = init.safe_after
    print(
        f"booted in {booted:.0f} s; init undisturbed {session.whole:.0f} s, "
        f"safe from {session.safe_after:.0f} s on",
        flush=True,
    )
    return session


def test_a_cut_loses_what_was_not_synced_and_a_finished_node_comes_back(measured: Session) -> None:
    vm = measured.vm
    wait_finished(vm, "the undisturbed init")
    vm.ask("echo synced > /root/synced; sync; echo unsynced > /root/unsynced")
    vm.cut()
    booted = vm.boot()
    start = time.monotonic()
    assert vm.ask("cat /root/synced") == "synced\n"
    assert "unsynced" not in vm.ssh("cat /root/unsynced").stdout
    wait_finished(vm, "a finished node after a cut")
    print(f"cut when finished: booted in {booted:.0f} s, Ready {time.monotonic() - start:.0f} s on")


@pytest.mark.parametrize("number", range(1, CUTS + 1))
def test_init_survives_a_power_cut(measured: Session, number: int) -> None:
    vm = measured.vm
    measured.boot_fresh(f"cut{number}")
    moment = measured.moment(number)
    with running_init(vm) as init:
        safe = wait_until(lambda: init.safe_after is not None or init.is_over, INIT_SECONDS)
        assert safe and init.safe_after is not None, init.told()
        # the moment itself is what is wanted; an init that is over needs no longer wait
        wait_until(lambda: init.is_over, moment)
        at = time.monotonic() - init.start
        vm.cut()
    what = f"cut {number} at {at:.0f} s ({moment:.0f} s after safe), in the step {init.last_step}"
    print(f"{what}\n  last in the log: {init.lines[-1]}", flush=True)
    booted = vm.boot()
    start = time.monotonic()
    wait_finished(vm, what)
    print(f"  booted in {booted:.0f} s, finished {time.monotonic() - start:.0f} s on", flush=True)
