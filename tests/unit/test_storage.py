"""What is under `/` where no board's folder shows it: network, overlay, btrfs, nothing known."""

from pathlib import Path

import pytest

from kubepi.decide.facts import Storage
from kubepi.machine.storage import root_storage
from tests.fakes import FakePi

VIRTIO = "../../devices/pci0000:00/0000:00:03.0/virtio0/block/vda/vda1"
MULTIPATH = "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2"


@pytest.mark.parametrize(
    ("mountinfo", "links", "storage"),
    [
        ("", {}, Storage("unknown")),
        ("1 0 0:20 / / rw - nfs4 10.0.0.1:/pi rw\n", {}, Storage("network", "10.0.0.1:/pi")),
        ("1 0 0:20 / / rw - overlay overlay rw\n", {}, Storage("overlay")),
        ("1 0 254:1 / / rw - ext4 /dev/root rw\n",
         {"/sys/dev/block/254:1": VIRTIO}, Storage("virtual disk", "vda")),
        # btrfs has a device number of its own
        ("1 0 0:25 /@ / rw - btrfs /dev/vda1 rw\n",
         {"/sys/class/block/vda1": VIRTIO}, Storage("virtual disk", "vda")),
        ("1 0 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n",
         {"/sys/dev/block/259:2": MULTIPATH}, Storage("NVMe", "nvme0n1")),
        # an initramfs first, the real root on top of it; optional fields of any number
        ("1 0 0:1 / / rw - rootfs none rw\n2 1 8:1 / / rw shared:1 master:2 - ext4 /dev/sda1 rw\n",
         {"/sys/dev/block/8:1": "../../devices/pci0/ata1/host0/block/sda/sda1"},
         Storage("SATA", "sda")),
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n",
         {"/sys/dev/block/8:1": "../../devices/strange/block/sda/sda1"},
         Storage("unknown", "sda")),
    ],
)  # fmt: skip
def test_storage(tmp_path: Path, mountinfo: str, links: dict[str, str], storage: Storage) -> None:
    pi = FakePi(tmp_path, {"/proc/self/mountinfo": mountinfo})
    for name, target in links.items():
        pi.path(name).parent.mkdir(parents=True, exist_ok=True)
        pi.path(name).symlink_to(target)
    assert root_storage(pi) == storage
