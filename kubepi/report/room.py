"""Disks that get full: how much is left, what takes it, and the command that frees it.

Looks only. Tests: tests/unit/test_report_room.py.
"""

from dataclasses import dataclass

from kubepi.decide.addons import LOCAL_VOLUMES
from kubepi.decide.goal import Goal
from kubepi.decide.mounts import NODE_DATA
from kubepi.decide.room import evicts_below, kept_free
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS
from kubepi.machine.host import Host
from kubepi.report.storage import bytes_text
from kubepi.steps.share import serves

DU_SECONDS = 300.0  # a card with many images is slow
WORTH_IT = 50_000_000  # bytes; less is not worth a word
LOOKED_AT = ("/", NODE_DATA["containerd"], NODE_DATA["kubelet"])
# what may grow: name, folder, the command that frees it
PLACES = (
    ("images", NODE_DATA["containerd"], "sudo kubepi disable --clean-cache"),
    ("container logs", "/var/log/pods", "sudo sh -c 'truncate -s 0 /var/log/pods/*/*/*.log'"),
    ("pods' own files", NODE_DATA["kubelet"], f"sudo du -sh {NODE_DATA['kubelet']}/pods/*"),
    ("local volumes", LOCAL_VOLUMES, "kubectl get pvc -A"),
    ("the journal", "/var/log/journal", "sudo journalctl --vacuum-size=50M"),
    ("apt's cache", "/var/cache/apt", "sudo apt-get clean"),
    ("backups", BACKUPS, f"sudo ls -lS {BACKUPS}"),
)
OTHER = "sudo du -xh / | sort -h | tail -n 20"


@dataclass(frozen=True)
class Full:
    """A file system with too little room left, by one of its folders; sizes in bytes."""

    folder: str
    size: int
    free: int

    def __str__(self) -> str:
        least = evicts_below(self.size)
        evicts = f"below {bytes_text(least)} pods are evicted"
        if self.free < least:
            evicts = f"pods are evicted until {bytes_text(least)} are"
        left = f"{bytes_text(self.free)} of {bytes_text(self.size)} are free"
        return f"the disk of {self.folder} is nearly full: {left}; {evicts}"


def full_disks(host: Host) -> list[Full]:
    """Those where kubelet removes images and has found too few."""
    folders: dict[int, str] = {}
    for folder in LOOKED_AT:
        folders.setdefault(host.device(folder), folder)
    disks = [Full(f, host.size_bytes(f), host.free_bytes(f)) for f in folders.values()]
    return [disk for disk in disks if disk.free < kept_free(disk.size)]


def what_takes_it(host: Host, goal: Goal | None, disk: Full) -> tuple[str, str]:
    """Each kind of content with its size, the largest first; and commands in the same order."""
    device = host.device(disk.folder)
    places = [
        place for place in _places(host, goal)
        if host.is_dir(place[1]) and host.device(place[1]) == device
    ]  # fmt: skip
    sizes = _sizes(host, [folder for _, folder, _ in places])
    rows = [(sizes.get(folder, 0), name, cure) for name, folder, cure in places]
    other = disk.size - disk.free - sum(size for size, *_ in rows)
    rows = [row for row in (*rows, (other, "other", OTHER)) if row[0] >= WORTH_IT]
    rows.sort(reverse=True)
    taken = ", ".join(f"{name} {bytes_text(size)}" for size, name, _ in rows)
    return taken, "; ".join(f"{cure} ({name})" for _, name, cure in rows)


def _places(host: Host, goal: Goal | None) -> list[tuple[str, str, str]]:
    share = None if goal is None else state.followed_share(host)
    if goal is None or share is None or not serves(host, goal, share):
        return list(PLACES)
    return [*PLACES, ("the share", share.path, "sudo kubepi storage migrate --to DISK")]


def _sizes(host: Host, folders: list[str]) -> dict[str, int]:
    """Bytes that each takes on its own file system."""
    if not folders:
        return {}
    paths = [str(host.path(folder)) for folder in folders]
    result = host.probe(["du", "-sx", "--block-size=1", *paths], timeout=DU_SECONDS)
    rows = (line.split("\t", 1) for line in result.stdout.splitlines())
    found = {row[1]: int(row[0]) for row in rows if len(row) == 2}
    return {folder: found.get(path, 0) for folder, path in zip(folders, paths, strict=True)}
