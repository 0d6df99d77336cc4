"""What is around a virtual machine: its network, its kit, its disks; and its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import labnet
from labclone import Clone, this_clone
from lablife import take_down
from labmachine import resolv_conf, set_sysctls
from labnodes import find_kit
from labrun import LabError, locked, run
from vm import Vm, tap
from vmarch import Architecture
from vmimage import VmImage, make_kit_disk, make_overlay

RELEASE = "trixie"
LOCK_SECONDS = 60
AnyVm = TypeVar("AnyVm", bound=Vm)


def vm_clone(architecture: Architecture) -> Clone:
    """Names of its own on this machine: the containers of this clone can be up beside it."""
    return Clone(this_clone().path / f"vm-{architecture.name}")


def amd64_kit() -> Path:
    kit = find_kit(this_clone(), None)
    if kit is None:
        raise LabError("a virtual machine gets its Kubernetes from a kit: KUBEPI_KIT=DIR")
    return Path(kit)


@contextmanager
def vm_lab(image: VmImage, kit: Path, kind: type[AnyVm]) -> Iterator[AnyVm]:
    """A network, a kit and a virtual machine, still off, on a fresh disk; nothing is left of it."""
    clone = vm_clone(image.architecture)
    with locked(clone.mark, LOCK_SECONDS):
        take_down(clone)  # what a run left that was killed
        vm: AnyVm | None = None
        try:
            vm = prepare(clone, image, kit, kind)
            yield vm
        finally:
            if vm is not None:
                vm.cut()
            take_down(clone)


def prepare(clone: Clone, image: VmImage, kit: Path, kind: type[AnyVm]) -> AnyVm:
    set_sysctls()
    clone.state.mkdir(mode=0o700, parents=True)
    subnet = labnet.claim_subnet(clone)
    labnet.make_network(clone, subnet)
    run(["ip", "tuntap", "add", tap(clone), "mode", "tap"])
    run(["ip", "link", "set", tap(clone), "master", clone.bridge, "up"])
    address, gateway = labnet.node_address(subnet, 1), labnet.gateway(subnet)
    vm = kind(clone, image, str(address), str(gateway), clone.state / "first.qcow2")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubepi-lab", "-f", str(vm.key)])
    make_overlay(image.disk, vm.disk)
    make_kit_disk(kit, vm.kit)
    return vm


def first_boot(vm: Vm, kubepi: Path) -> None:
    """As a card that booted once: machine-id made, kubepi.pyz on it, no kubepi.yaml."""
    vm.boot()
    vm.ask("cat > /etc/resolv.conf", stdin=resolv_conf())
    vm.push(kubepi, "/root/kubepi.pyz")
