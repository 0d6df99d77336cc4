"""Makes `import netifaces` work from the archive: its compiled half is kept in a private cache.

The dynamic loader opens files and cannot look into a zip, so the module that fits this Python is
copied to a disk once. It runs as root: each use compares it with the archive's content, and the
cache is a folder that nobody else can write to, hence never below /tmp.
"""

import fcntl
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from zipimport import zipimporter

from kubepi.errors import KubepiError

SUPPORTED = "Python 3.11 to 3.14 on aarch64 or x86_64"


def load_netifaces(cache: Path | None = None) -> ModuleType:
    """The module `netifaces`, ready to use; `cache` stands in for the default cache folder."""
    spec = find_spec("kubepi")
    archive = spec.loader if spec is not None else None
    if isinstance(archive, zipimporter) and "_netifaces" not in sys.modules:
        load_packed(archive, cache or default_cache(os.geteuid(), os.environ))
    try:
        return import_module("netifaces")
    except ImportError as error:
        raise KubepiError(
            f"netifaces cannot be imported: {error}", "pip install netifaces-plus"
        ) from error


def default_cache(user: int, environ: Mapping[str, str]) -> Path:
    if user == 0:
        return Path("/var/cache/kubepi")
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubepi"


def load_packed(archive: zipimporter, cache: Path) -> None:
    """Import `_netifaces` out of `archive`, by way of a copy in `cache`."""
    # The suffix names Python, processor and C library in one, so it also rules out a 32-bit
    # userland, musl and free-threaded builds: ".cpython-313-aarch64-linux-gnu.so"
    name = f"_netifaces{EXTENSION_SUFFIXES[0]}"
    try:
        content = archive.get_data(f"{archive.archive}/{name}")
    except OSError as error:
        raise KubepiError(f"kubepi carries no {name}", SUPPORTED) from error
    try:
        with locked(cache):  # until it is loaded: another version of kubepi may prune it
            load_extension(kept_copy(content, name, cache))
    except OSError as error:
        raise KubepiError(
            f"cannot keep {name} in {cache}: {error.strerror}",
            "the folder needs 1 MB and must be writable",
        ) from error


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold `cache`, made if missing; it is refused if anybody else could change what is in it."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(cache, stat.S_IFDIR):
        raise KubepiError(
            f"{cache} can be changed by others, and kubepi would run what is in it",
            f"remove {cache}: kubepi makes it anew",
        )
    lock = os.open(cache, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def kept_copy(content: bytes, name: str, cache: Path) -> Path:
    """Path of a file with exactly `content`, in a folder of `cache` named after its digest."""
    file = cache / sha256(content).hexdigest()[:16] / name
    if not is_right(file, content):
        remove(file.parent)
        write(file, content)
        for other in cache.iterdir():
            if other != file.parent and re.fullmatch(r"[0-9a-f]{16}", other.name):
                remove(other)
    return file


def is_right(file: Path, content: bytes) -> bool:
    return (
        is_private(file.parent, stat.S_IFDIR)
        and stat.S_IMODE(file.parent.lstat().st_mode) == 0o700
        and is_private(file, stat.S_IFREG)
        and file.read_bytes() == content
    )


def is_private(path: Path, kind: int) -> bool:
    """Of this kind, no link, ours, and not writable by others; False also if it is missing."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_IFMT(found.st_mode) == kind
        and found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write(file: Path, content: bytes) -> None:
    """The name appears only once the content is on the disk: the power may go at any moment."""
    file.parent.mkdir(mode=0o700)
    temp = file.with_name(".tmp")
    with temp.open("wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temp.rename(file)
    for folder in (file.parent, file.parent.parent):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load_extension(file: Path) -> None:
    loader = ExtensionFileLoader("_netifaces", str(file))
    try:
        module = module_from_spec(ModuleSpec("_netifaces", loader, origin=str(file)))
        loader.exec_module(module)
    except ImportError as error:
        cache = file.parent.parent
        if os.statvfs(cache).f_flag & os.ST_NOEXEC:
            raise KubepiError(
                f"{cache} is on a file system mounted noexec, but kubepi runs a module from it",
                f"mount -o remount,exec $(findmnt -no TARGET -T {cache})",
            ) from error
        raise KubepiError(f"{file.name} cannot be loaded: {error}", SUPPORTED) from error
    sys.modules["_netifaces"] = module
