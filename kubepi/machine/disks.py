"""What is on a disk, in a folder, at a mount point: looked at before anything is put there.

Tests: tests/steps/test_disks.py.
"""

import os

from kubepi.decide.mounts import UNITS, unit_name
from kubepi.errors import NotYet, StepFailed
from kubepi.machine.host import Host

Problem = tuple[str, str]  # a sentence and its cure
NOTHING_KNOWN = 2  # blkid(8): nothing that it knows was found
UNNAMED = "data of a kind that has no name"
START = 2**20  # bytes that are all zero on a disk that nobody wrote to
WIPE = "if what is on it can go, empty it yourself: sudo dd if=/dev/zero bs=1M count=16 of="


def content_of_disk(host: Host, disk: str) -> dict[str, str]:
    """What blkid sees there (TYPE, LABEL, PTTYPE, …); nothing for an empty disk.

    Raises:
        NotYet: there is no such disk; StepFailed: nobody can tell what is on it.
    """
    if not host.exists(disk):
        raise NotYet(f"the disk {disk}")
    # --probe: the disk itself, not what was remembered of it
    result = host.probe(["blkid", "--probe", "--output", "export", disk])
    if result.code == NOTHING_KNOWN:
        return {} if _begins_with_zeros(host, disk) else {"TYPE": UNNAMED}
    if not result.ok:
        raise StepFailed(f"cannot tell what is on {disk}", f"look yourself: blkid --probe {disk}")
    pairs = (line.partition("=") for line in result.stdout.splitlines())
    return {key: value for key, _, value in pairs if value and key != "DEVNAME"}


def _begins_with_zeros(host: Host, disk: str) -> bool:
    """What blkid cannot read is nothing to it, and so is an encrypted disk or a raw copy."""
    try:
        with host.path(disk).open("rb") as stream:
            return not any(stream.read(START))
    except OSError as error:
        raise StepFailed(
            f"{disk} cannot be read: {error.strerror}", "is it broken, or badly plugged? dmesg"
        ) from error


def size_of_disk(host: Host, disk: str) -> int:
    """Bytes."""
    with host.path(disk).open("rb") as stream:
        return stream.seek(0, os.SEEK_END)


def described(content: dict[str, str]) -> str:
    kind = content.get("TYPE") or f"partitions ({content.get('PTTYPE', 'of some kind')})"
    label = content.get("LABEL")
    return f"{kind} named {label!r}" if label else kind


def holding(disk: str, content: dict[str, str]) -> Problem:
    """A disk with something on it is left alone, whatever was typed."""
    return f"{disk} holds {described(content)}", WIPE + disk


def disk_problem(host: Host, disk: str, label: str = "") -> Problem | None:
    """For a disk that is to be kubepi's: empty, or with a label that is kubepi's already."""
    try:
        content = content_of_disk(host, disk)
    except NotYet:
        return f"there is no disk {disk}", "ls -l /dev/disk/by-id lists those that are there"
    except StepFailed as error:
        return error.sentence, error.hint
    is_ours = bool(label) and content.get("LABEL") == label
    return holding(disk, content) if content and not is_ours else None


def folder_problem(host: Host, path: str) -> Problem | None:
    if host.exists(path) and not host.is_dir(path):
        return f"{path} is a file", "move it away, or name another folder"
    return None


def is_mounted(host: Host, path: str) -> bool:
    """Whether something is mounted there, an automount too; does not touch the path itself."""
    return bool(mounted_there(host, path))


def mounted_there(host: Host, path: str) -> list[tuple[str, str]]:
    """File system and source of each mount at that very path, the one on top last."""
    found = []
    for fields in (line.split() for line in (host.read("/proc/self/mountinfo") or "").splitlines()):
        if len(fields) > 6 and "-" in fields and fields[4] == str(host.path(path)):
            kind, source = fields[fields.index("-") + 1 :][:2]
            found.append((kind, source))
    return found


def mount_problem(host: Host, mount: str) -> Problem | None:
    if host.exists(f"{UNITS}/{unit_name(mount, 'automount')}"):
        return None  # of a run before this one
    cure = "move it away, or name another storage.nfs.mount"
    for kind, source in mounted_there(host, mount):
        return f"{source} ({kind}) is mounted at {mount}", cure
    if host.exists(mount) and (not host.is_dir(mount) or host.listdir(mount)):
        return f"{mount} is not an empty folder, and what is in it would be hidden", cure
    return None
