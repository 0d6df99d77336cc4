"""A node's whole life in a virtual machine of the Pi's own architecture, phase by phase, timed."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from labrun import LabError, last_lines, wait_until
from pis import FILE, KIT, LEFT_OF_KUBERNETES
from vm import Vm
from vmarch import ARM64
from vmimage import vm_image
from vmkit import kit_for
from vmlab import RELEASE, first_boot, vm_lab

# Only a limit for what will never come: everything is emulated, and the lab machine may be busy.
WAIT_SECONDS = 1800
KUBEPI = f"python3 -I {FILE}"
PACKAGES = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' | sort"
T = TypeVar("T")


@dataclass
class Phases:
    """What was done, and the seconds that each took."""

    times: list[tuple[str, float]] = field(default_factory=list)

    def run(self, what: str, work: Callable[[], T]) -> T:
        print(f"== {what}", flush=True)
        start = time.monotonic()
        done = work()
        self.times.append((what, time.monotonic() - start))
        return done

    def table(self) -> str:
        rows = [*self.times, ("altogether", sum(seconds for _, seconds in self.times))]
        return "\n".join(["seconds  phase", *(f"{took:7.1f}  {what}" for what, took in rows)])


def whole_life(kubepi: Path, phases: Phases) -> None:
    """From the first boot to the reset; LabError where the machine is not as it should be."""
    kit = phases.run("offline kit", lambda: kit_for(ARM64))
    image = phases.run("disk image", lambda: vm_image(RELEASE, ARM64))
    with vm_lab(image, kit, Vm) as vm:
        phases.run("first boot", lambda: first_boot(vm, kubepi))
        packages = vm.ask(PACKAGES)
        phases.run("kubepi detect", lambda: detect(vm))
        phases.run("kubepi init", lambda: succeed(vm, f"{KUBEPI} init --kit {KIT}"))
        phases.run("node Ready", lambda: wait_for("Ready", lambda: vm.is_ready, vm))
        phases.run("kubepi status", lambda: wait_for("as wanted", lambda: is_fine(vm), vm))
        phases.run("reboot", vm.reboot)
        phases.run("node Ready again", lambda: wait_for("Ready again", lambda: vm.is_ready, vm))
        phases.run("as wanted again", lambda: wait_for("as wanted", lambda: is_fine(vm), vm))
        phases.run("kubepi reset", lambda: succeed(vm, "kubepi reset --yes"))
        phases.run("nothing is left", lambda: check_nothing_left(vm, packages))


def detect(vm: Vm) -> None:
    """What the Pi's kernel and the compiled part of kubepi.pyz say, and no kubepi.yaml there."""
    succeed(vm, f"{KUBEPI} detect")
    facts = json.loads(vm.ask(f"{KUBEPI} detect --json"))
    addresses = [address for link in facts["interfaces"] for address in link["addresses"]]
    expected = {
        "uname -m": (vm.ask("uname -m").strip(), "aarch64"),
        "architecture": (facts["architecture"], ARM64.name),
        "cgroup version": (facts["cgroup_version"], 2),
        "memory controller": (facts["memory_controller"], True),
        "own address among those seen": (f"{vm.address}/24" in addresses, True),
        "kubepi.yaml": (vm.ssh("test -e /etc/kubepi/kubepi.yaml").returncode, 1),
    }
    wrong = [f"{what}: {seen}, not {right}" for what, (seen, right) in expected.items()
             if seen != right]  # fmt: skip
    if wrong:
        raise LabError("; ".join(wrong))


def succeed(vm: Vm, command: str) -> None:
    if code := vm.show(command):
        raise LabError(f"{command} ended with {code}\n{kubepi_log(vm)}")


def wait_for(what: str, condition: Callable[[], bool], vm: Vm) -> None:
    if not wait_until(condition, WAIT_SECONDS, 2.0):
        raise LabError(
            f"not {what} after {WAIT_SECONDS} s\n{kubepi_log(vm)}\n{vm.diagnosis('is late')}"
        )


def is_fine(vm: Vm) -> bool:
    """What it says when it is; a machine this slow is at times late with an answer to itself."""
    done = vm.ssh("kubepi status", seconds=WAIT_SECONDS)
    if done.returncode == 0:
        print(done.stdout, end="", flush=True)
    return done.returncode == 0


def check_nothing_left(vm: Vm, packages: str) -> None:
    if left := vm.ask(LEFT_OF_KUBERNETES).strip():
        raise LabError(f"left after reset:\n{left}")
    if (now := vm.ask(PACKAGES)) != packages:
        changed = set(now.splitlines()) ^ set(packages.splitlines())
        raise LabError(f"packages are not as before: {', '.join(sorted(changed))}")


def kubepi_log(vm: Vm) -> str:
    return last_lines(vm.ssh("tail -n 60 /var/log/kubepi.log").stdout, 60)
