"""What is on a disk, in a folder, at a mount point: looked at before anything is put there.

Tests: tests/steps/test_disks.py.
"""

from kubepi.errors import NotYet, StepFailed
from kubepi.machine.host import Host

EMPTY = 2  # blkid(8): nothing was found
WIPE = "if what is on it can go, empty it yourself: sudo wipefs --all "


def content_of_disk(host: Host, disk: str) -> dict[str, str]:
    """What blkid sees there (TYPE, LABEL, PTTYPE, …); nothing for an empty disk.

    Raises:
        NotYet: there is no such disk; StepFailed: nobody can tell what is on it.
    """
    if not host.exists(disk):
        raise NotYet(f"the disk {disk}")
    # --probe: the disk itself, not what was remembered of it
    result = host.probe(["blkid", "--probe", "--output", "export", disk])
    if result.code == EMPTY:
        return {}
    if not result.ok:
        raise StepFailed(f"cannot tell what is on {disk}", f"look yourself: blkid --probe {disk}")
    pairs = (line.partition("=") for line in result.stdout.splitlines())
    return {key: value for key, _, value in pairs if value and key != "DEVNAME"}


def described(content: dict[str, str]) -> str:
    kind = content.get("TYPE") or f"partitions ({content.get('PTTYPE', 'of some kind')})"
    label = content.get("LABEL")
    return f"{kind} named {label!r}" if label else kind


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
