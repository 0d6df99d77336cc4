"""What is around a virtual machine: its network, its kit, its disks; and its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import labnet
from kitaddons import with_volumes
from labclone import Clone, this_clone
from lablife import take_down
from labmachine import resolv_conf, set_sysctls
from labnodes import find_kit
from labrun import LabError, locked, run
from vm import Vm, tap
from vmarch import Architecture
from vmimage import VmImage, make_kit_disk

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
    return with_volumes(Path(kit))


@contextmanager
def vm_lab(image: VmImage, kit: Path, kind: type[AnyVm]) -> Iterator[AnyVm]:
    """A network, a kit and a virtual machine, still off, on a fresh disk; nothing is left of it."""
    with vm_labs(image, kit, kind, 1) as vms:
        yield vms[0]


@contextmanager
def vm_labs(
    image: VmImage, kit: Path, kind: type[AnyVm], count: int
) -> Iterator[tuple[AnyVm, ...]]:
    """As vm_lab, with several machines on one network."""
    clone = vm_clone(image.architecture)
    with locked(clone.mark, LOCK_SECONDS):
        take_down(clone)  # what a run left that was killed
        vms: tuple[AnyVm, ...] = ()
        try:
            vms = prepare(clone, image, kit, kind, count)
            yield vms
        finally:
            for vm in vms:
                vm.cut()
            take_down(clone)


def prepare(
    clone: Clone, image: VmImage, kit: Path, kind: type[AnyVm], count: int
) -> tuple[AnyVm, ...]:
    set_sysctls()
    clone.state.mkdir(mode=0o700, parents=True)
    subnet = labnet.claim_subnet(clone)
    labnet.make_network(clone, subnet)
    gateway = str(labnet.gateway(subnet))
    vms = tuple(
        kind(
            clone, image, str(labnet.node_address(subnet, number)), gateway,
            clone.state / f"disk{number}", number,
        )
        for number in range(1, count + 1)
    )  # fmt: skip
    key = str(vms[0].key)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kubepi-lab", "-f", key])
    make_kit_disk(kit, vms[0].kit)
    for vm in vms:
        cable = tap(clone, vm.number)
        run(["ip", "tuntap", "add", cable, "mode", "tap"])
        run(["ip", "link", "set", cable, "master", clone.bridge, "up"])
        vm.make_disk()
    return vms


def first_boot(vm: Vm, kubepi: Path) -> None:
    """As a card that booted once: machine-id made, kubepi.pyz on it, no kubepi.yaml."""
    vm.boot()
    vm.ask("cat > /etc/resolv.conf", stdin=resolv_conf())
    vm.push(kubepi, "/root/kubepi.pyz")
