"""Programs of disks, folders and exports on a FakePi, as effects recorded from real runs.

A disk is a file: what blkid would say of it. The immutable folders are in a file of their own.
"""

from collections.abc import Generator, Sequence
from pathlib import Path

from tests.fakes import Answer, FakePi

Effects = Generator[None, None, Answer]
IMMUTABLE = "/proc/immutable"
HALF = "TYPE=ext4\n"  # what an interrupted mkfs leaves: a superblock without its label


def install_disk_programs(pi: FakePi) -> None:
    pi.looks("blkid", script=_blkid)
    pi.changes("mkfs.ext4", script=_mkfs)
    pi.looks("lsattr", script=_lsattr)
    pi.changes("chattr", script=_chattr)
    pi.changes("exportfs", script=_exportfs)
    pi.looks("df", script=lambda pi, argv, stdin: (0, "1B-blocks Avail\n64000000000 48000000000\n"))


def put_disk(pi: FakePi, disk: str, content: str = "") -> None:
    """`content` is what blkid prints of it, a line each; nothing for an empty disk."""
    pi.put(disk, content)


def _blkid(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    content = pi.read(argv[-1])
    return (0, content) if content else (2, "")


def _mkfs(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    disk, label = pi.path(argv[-1]), argv[argv.index("-L") + 1]
    for content in (HALF, f"{HALF}LABEL={label}\n"):
        yield
        disk.write_text(content)
        pi.fake_disk.make_durable(disk)  # it is the disk
    return 0, ""


def _immutable(pi: FakePi) -> set[str]:
    return set((pi.read(IMMUTABLE) or "").split())


def _lsattr(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    if not Path(argv[-1]).is_dir():
        return 1, "No such file or directory"
    flag = "i" if argv[-1].removeprefix(str(pi.root)) in _immutable(pi) else "-"
    return 0, f"----{flag}---------e------- {argv[-1]}\n"


def _chattr(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    folder = {argv[-1].removeprefix(str(pi.root))}
    flags = _immutable(pi) | folder if argv[1] == "+i" else _immutable(pi) - folder
    path = pi.path(IMMUTABLE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in sorted(flags)))
    pi.fake_disk.make_all_durable()
    return 0, ""


def _exportfs(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    return 0, ""
