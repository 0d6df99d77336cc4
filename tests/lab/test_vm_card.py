"""A card in a virtual machine: switched on, it changes itself, reboots once, and is a cluster.

Its FAT partition's cmdline.txt lacks the cgroup argument, and the memory controller is off without
it, as on a Pi. Once by the line in cmdline.txt, once by cloud-init's vendor data. About a quarter
of an hour each on a machine that does nothing else: `tests/run --long vm-card`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from labcards import prepared_card, with_kit
from vmcard import CMDLINE, CardVm, card_image
from vmlab import amd64_kit, vm_lab

from tests.cards import CARDS

pytestmark = [pytest.mark.lab, pytest.mark.long("vm-card")]
FILES = CARDS["trixie"] | {"cmdline.txt": CMDLINE}
READY_SECONDS = 2400
ASK_SECONDS = 20.0
READY = "kubectl get nodes -o jsonpath='{.items[*].status.conditions[?(@.type==\"Ready\")].status}'"


@pytest.fixture
def vm() -> Iterator[CardVm]:
    with vm_lab(card_image(), amd64_kit(), CardVm) as vm:
        yield vm


def is_whole(vm: CardVm) -> bool:
    """Its goal is reached, and the one node of its cluster is Ready."""
    there = "test -e /var/lib/kubepi/goal.json && ! test -e /var/lib/kubepi/pending"
    return vm.ssh(there).returncode == 0 and vm.ssh(READY).stdout == "True"


@pytest.mark.parametrize("options", [(), ("--vendor-data",)], ids=["hook", "vendor-data"])
def test_a_prepared_card_becomes_a_cluster_by_itself(
    options: tuple[str, ...], vm: CardVm, pyz: Path, tmp_path: Path
) -> None:
    vm.put_card(with_kit(prepared_card(pyz, tmp_path, FILES, "--expect", "1", *options)))
    start = time.monotonic()
    vm.run_until(lambda: is_whole(vm), READY_SECONDS, ASK_SECONDS)
    print(f"\n{' '.join(options) or 'hook'}: a Ready master {time.monotonic() - start:.0f} s after")
    assert vm.boots == 2, "one reboot, the hook's own"
    assert "memory" in vm.ask("cat", "/sys/fs/cgroup/cgroup.controllers").split()
    assert vm.ask("hostname").strip() != "raspberrypi"
    assert vm.ask("cat", "/boot/firmware/cmdline.txt") == (
        f"{CMDLINE.rstrip()} cgroup_enable=memory\n"
    )
    assert "token:" not in vm.ask("cat", "/boot/firmware/kubepi.yaml")
    assert vm.ssh("ls /boot/firmware/vendor-data /boot/firmware/kubepi-hook.sh").stdout == ""
