"""What kind of disk is under `/`, told by where the kernel hangs it in /sys."""

import re

from kubepi.decide.facts import Storage
from kubepi.machine.host import Host

# In the order in which they are looked for in a device's path; a disk in a USB case is USB.
KINDS = {
    "/usb": "USB",
    "/mmc_host/": "SD card",
    "/nvme": "NVMe",
    "/ata": "SATA",
    "/virtio": "virtual disk",
    "/vbd-": "virtual disk",
}
NETWORK = ("nfs", "nfs4", "cifs", "9p", "virtiofs")


def root_storage(host: Host) -> Storage:
    mount = _root_mount(host.read("/proc/self/mountinfo") or "")
    if mount is None:
        return Storage("unknown")
    number, kind, source = mount
    if kind in NETWORK:
        return Storage("network", source)
    place = host.link_target(f"/sys/dev/block/{number}")
    if place is None and source.startswith("/dev/"):
        place = host.link_target(f"/sys/class/block/{source.removeprefix('/dev/')}")
    if place is None:
        return Storage(kind or "unknown")
    return _describe(host, place)


def _root_mount(mountinfo: str) -> tuple[str, str, str] | None:
    """Device number, file system and source of `/`; the last line counts, it lies on top."""
    found = None
    for fields in (line.split() for line in mountinfo.splitlines()):
        if len(fields) > 6 and fields[4] == "/":
            kind, source = fields[fields.index("-") + 1 :][:2]
            found = fields[2], kind, source
    return found


def _describe(host: Host, place: str) -> Storage:
    """`place` is "../../devices/…/block/mmcblk0/mmcblk0p2", or a mapped device's own."""
    disk = _disk(place)
    below = host.listdir(f"/sys/block/{disk}/slaves")
    if below:
        lower = host.link_target(f"/sys/class/block/{below[0]}")
        return Storage("unknown", disk) if lower is None else _describe(host, lower)
    kind = next((kind for part, kind in KINDS.items() if part in place), "unknown")
    folder = f"/sys/block/{disk}/device"
    if kind == "SD card" and (host.read(f"{folder}/type") or "").strip() == "MMC":
        kind = "eMMC"
    model = host.read(f"{folder}/model") or host.read(f"{folder}/name") or ""
    return Storage(kind, disk or None, model.strip() or None)


def _disk(place: str) -> str:
    """Name of the whole disk; NVMe has no folder `block` above it."""
    found = re.search(r"/block/([^/]+)|/(nvme\d+n\d+)(?:/|$)", place)
    return "" if found is None else found[1] or found[2]
