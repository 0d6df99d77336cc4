"""Builds kubepi.pyz: the package, its data and pinned dependencies; same input, same bytes.

Dependencies are wheels, checked against the digests below and kept in ~/.cache/kubepi-build, so
that only the first build needs a network.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import ZIP_STORED, ZipFile, ZipInfo

SHEBANG = b"#!/usr/bin/env python3\n"
RUNS_ON = "3.11-x86_64"

# name, version, Python and processor it is built for, SHA-256 of the wheel.
# PyYAML and zeroconf have no pure wheel. A compiled one holds every .py too, equal to the sdist's,
# and an sdist would run its build backend; what is compiled in them stays out of the archive.
PINS = """
certifi 2026.10.18 any 73191c47aaa79da394e8fee2dbc2ec827432cab56311122c9e47abf79e390f62
charset-normalizer 3.5.2 any b6b751274acb69d77b3323d6b7dbaa3c7fdfc1eb829b7eb61d262f32e1af9685
idna 3.20 any ab7ae7122974553370f0bdb919e1a960b2cd1bc1ef0276416d896db81c14582c
ifaddr 0.2.0 any 085e0305cfe6f16ab12d72e2024030f5d52674afad6911bb1eee207177b8a748
netifaces-plus 0.12.5 3.11-aarch64 fa583053ee487a447c903dbc424fedfb5c4adb26f45cf20951222a47ee7b3090
netifaces-plus 0.12.5 3.11-x86_64 45b0c3fd91545fc75194b615d738bcb1e7c2fc1bcf282f87fb74f0e8ddf46be6
netifaces-plus 0.12.5 3.12-aarch64 2bca2ff13f340f468f5a4455b0e5b6122dba533729d2fed3afae863a44795052
netifaces-plus 0.12.5 3.12-x86_64 8fc3c2505e6e9e810d761099fd4ec39ecd9e0503f0ea640e93b9be18a2628400
netifaces-plus 0.12.5 3.13-aarch64 46c37b0112c74cf6d99f23cf368147c163873d36ac20687a1cefb9e7fe16a66c
netifaces-plus 0.12.5 3.13-x86_64 7ecf121658ce50ce8359b7a8761bb96d785980026e56a8a4bb219c6f1cab25db
netifaces-plus 0.12.5 3.14-aarch64 ddb148099e3c033b0b768951ff7c4d14562c6c07c52f99acaf8ad737353069ca
netifaces-plus 0.12.5 3.14-x86_64 d7076c02e63ec04160fecd1b32e44a43b910358e64b4ea832d3fdf0e63387719
PyYAML 6.0.3 3.11-x86_64 b8bb0864c5a28024fac8a632c443c87c5aa6f215c0b126c449ae1a150412f31d
requests 2.34.2 any 2a0d60c172f83ac6ab31e4554906c0f3b3588d37b5cb939b1c061f4907e278e0
urllib3 2.8.0 any 0cf3cae568d36aa9576b28dfb35f11328f1cb974ca7647d9475ebb86c75ac6e3
zeroconf 0.154.0 3.11-x86_64 039509dddf6f54cab9d5029da6577218875ea66215f8cc54eb3bd4c70c9df5b4
"""

# Tests, command lines, and code for systems that kubepi does not run on
LEFT_OUT = (
    "_yaml/",
    "certifi/tests/",
    "charset_normalizer/cli/",
    "ifaddr/test_",
    "urllib3/contrib/emscripten/",
)
LICENCES = ("COPYING", "LICENSE", "NOTICE")


class BuildError(Exception):
    """Why there is no kubepi.pyz; the one of an earlier build stays as it was."""


@dataclass(frozen=True)
class Wheel:
    """One line of PINS."""

    name: str
    version: str
    target: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.target})"


def main(argv: Sequence[str] | None = None) -> int:
    root = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Build kubepi.pyz.")
    parser.add_argument("-o", "--output", type=Path, default=root / "kubepi.pyz", metavar="FILE")
    output: Path = parser.parse_args(argv).output
    try:
        wheels = [Wheel(*line.split()) for line in PINS.split("\n") if line]
        members = merged([*source_members(root), *bundled_members(fetch(wheels, cache_folder()))])
        write_whole(output, archive(members), 0o755)
    except BuildError as error:
        print(f"build_zipapp: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"build_zipapp: {error.filename or output}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB, {len(members)} files")
    return 0


def source_members(root: Path) -> Iterator[tuple[str, bytes]]:
    """kubepi itself; its data goes where kubepi/resources.py looks for it."""
    yield "__main__.py", (root / "kubepi" / "__main__.py").read_bytes()
    yield "LICENSE", (root / "LICENSE").read_bytes()
    yield "kubepi/data/defaults.yaml", (root / "defaults.yaml").read_bytes()
    for file in (root / "kubepi").rglob("*.py"):
        yield file.relative_to(root).as_posix(), file.read_bytes()
    for file in (root / "manifests").rglob("*"):
        if file.is_file() and not file.name.startswith("."):
            yield f"kubepi/data/{file.relative_to(root).as_posix()}", file.read_bytes()


def fetch(wheels: Sequence[Wheel], cache: Path) -> list[bytes]:
    """Content of the wheels, downloading those that `cache` lacks."""
    missing = [wheel for wheel in wheels if not cached(wheel, cache).exists()]
    for target in sorted({wheel.target for wheel in missing}):
        download(target, [wheel for wheel in missing if wheel.target == target], cache)
    return [checked(wheel, cache) for wheel in wheels]


def download(target: str, wheels: Sequence[Wheel], cache: Path) -> None:
    python, arch = (RUNS_ON if target == "any" else target).split("-")
    with TemporaryDirectory() as folder:
        pinned = Path(folder) / "requirements.txt"
        pinned.write_text(
            "".join(f"{w.name}=={w.version} --hash=sha256:{w.digest}\n" for w in wheels)
        )
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder),
                *("--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"),
                *(f"--python-version={python}", f"--platform=manylinux2014_{arch}"),
                *("--requirement", str(pinned)),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            names = ", ".join(str(wheel) for wheel in wheels)
            raise BuildError(f"pip could not download {names}:\n{done.stderr.strip()}")
        for file in Path(folder).glob("*.whl"):
            content = file.read_bytes()
            write_whole(cache / f"{sha256(content).hexdigest()}.whl", content, 0o644)


def checked(wheel: Wheel, cache: Path) -> bytes:
    file = cached(wheel, cache)
    content = file.read_bytes()
    if sha256(content).hexdigest() != wheel.digest:
        raise BuildError(f"{file} is not {wheel} as pinned; remove the file and build again")
    return content


def cached(wheel: Wheel, cache: Path) -> Path:
    return cache / f"{wheel.digest}.whl"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubepi-build"


def bundled_members(wheels: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Everything of the wheels that travels, at the archive's root: first in sys.path."""
    for content in wheels:
        with ZipFile(BytesIO(content)) as wheel:
            for name in wheel.namelist():
                place = bundled_place(name)
                if place is not None:
                    yield place, wheel.read(name)


def bundled_place(name: str) -> str | None:
    """Where a wheel's file goes in the archive; None: it stays out."""
    path = PurePosixPath(name)
    package = path.parts[0].removesuffix(".dist-info")
    if package != path.parts[0]:
        return f"licenses/{package}/{path.name}" if path.stem in LICENCES else None
    travels = path.suffix == ".py" or name.startswith(("certifi/cacert.pem", "_netifaces."))
    return name if travels and not name.startswith(LEFT_OUT) else None


def merged(members: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """The same file may come twice (the builds of one package), but not two for one place."""
    result: dict[str, bytes] = {}
    for name, content in members:
        if result.setdefault(name, content) != content:
            raise BuildError(f"two different files want to be {name}")
    return result


def archive(members: dict[str, bytes]) -> bytes:
    """A zip with everything fixed that is not content.

    Stored, not deflated: zlib and zlib-ng pack differently, and a start has less to do.
    """
    stream = BytesIO()
    stream.write(SHEBANG)
    with ZipFile(stream, "w", ZIP_STORED) as packed:
        for name in sorted(members):
            entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, members[name])
    return stream.getvalue()


def write_whole(file: Path, content: bytes, mode: int) -> None:
    """The whole file or none, also after a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temp = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temp.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temp.replace(file)
    finally:
        temp.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
