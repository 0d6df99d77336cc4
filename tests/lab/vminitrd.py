"""A small initramfs: busybox, some of a kernel's modules, and a script that is all it does."""

import lzma
import re
import stat
from pathlib import Path

from labrun import LabError

MAGIC, LAST = "070701", "TRAILER!!!"


def initramfs(unpacked: Path, modules: tuple[str, ...], script: str) -> bytes:
    """A cpio archive. `unpacked` holds what is in the packages busybox-static and linux-image."""
    program = (unpacked / "usr/bin/busybox").read_bytes()
    files = {"bin/busybox": program, "init": script.encode()}
    # numbered in the order in which they are to be loaded
    for number, (name, content) in enumerate(needed(unpacked, modules).items()):
        files[f"modules/{number:02}-{name}.ko"] = content
    entries = [entry(name, stat.S_IFDIR | 0o755) for name in ("bin", "modules")]
    entries += [entry(name, stat.S_IFREG | 0o755, content) for name, content in files.items()]
    return b"".join([*entries, entry(LAST, 0)])


def entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """As in the kernel's document driver-api/early-userspace/buffer-format."""
    nul_ended = name.encode() + b"\0"
    links = 1 if stat.S_ISREG(mode) else 2
    #         inode, mode, uid, gid, links, time, size, four device numbers, length of name, check
    fields = (0, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(nul_ended), 0)
    header = MAGIC + "".join(f"{field:08X}" for field in fields)
    return padded(header.encode() + nul_ended) + padded(content)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def needed(unpacked: Path, modules: tuple[str, ...]) -> dict[str, bytes]:
    """These modules and what they depend on, each behind what it depends on."""
    packed = {module_name(file.name): file for file in unpacked.rglob("*.ko.xz")}
    builtin = next(unpacked.rglob("modules.builtin")).read_text().split()
    in_kernel = {module_name(Path(line).name) for line in builtin}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found or name in in_kernel:
            return
        if name not in packed:
            raise LabError(f"this kernel has no module {name}")
        content = lzma.decompress(packed[name].read_bytes())
        for other in depends(content):
            add(other)
        found[name] = content

    for name in modules:
        add(name)
    return found


def module_name(file: str) -> str:
    return file.partition(".")[0].replace("-", "_")


def depends(module: bytes) -> list[str]:
    """As its own section .modinfo says it, from which depmod makes its list."""
    said = re.search(rb"\0depends=([^\0]*)\0", module)
    names = "" if said is None else said[1].decode()
    return [module_name(name) for name in names.split(",") if name]
