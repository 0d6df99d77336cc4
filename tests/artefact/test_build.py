"""Builds kubepi.pyz once and runs it under every Python that this machine has."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from kubepi import VERSION
from kubepi.__main__ import BUNDLED

ROOT = Path(__file__).parents[2]
PINS = [line.split() for line in runpy.run_path(str(ROOT / "build_zipapp.py"))["PINS"].split("\n")]
EM_AARCH64, EM_X86_64 = 183, 62  # e_machine in elf.h


def find_pythons() -> dict[tuple[int, int], str]:
    """One interpreter for each minor version, on PATH or installed by pyenv; ours is among them."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    folders = [*os.get_exec_path(), *(str(bin) for bin in sorted(pyenv.glob("versions/*/bin")))]
    found: dict[tuple[int, int], str] = {sys.version_info[:2]: sys.executable}
    names = ["python3", *(f"python3.{minor}" for minor in range(6, 15))]
    for path in {Path(folder, name).resolve() for folder in folders for name in names}:
        if not path.is_file() or "shims" in path.parts:
            continue
        code = "import sys; print(*sys.version_info[:2])"
        answer = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True)
        if answer.returncode == 0:
            major, minor = answer.stdout.split()
            found.setdefault((int(major), int(minor)), str(path))
    return found


PYTHONS = dict(sorted(find_pythons().items()))
SUPPORTED = [pytest.param(path, id=f"3.{v[1]}") for v, path in PYTHONS.items() if v >= (3, 11)]
TOO_OLD = [pytest.param(path, id=f"3.{v[1]}") for v, path in PYTHONS.items() if v < (3, 11)]


def run(*argv: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ}
    return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=300)


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("artefact") / "kubepi.pyz"
    done = run(sys.executable, ROOT / "build_zipapp.py", "-o", file)
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="session")
def archive(pyz: Path) -> Iterator[ZipFile]:
    with ZipFile(pyz) as opened:
        yield opened


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    """What the builder reads, elsewhere and with other times."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "kubepi", tree / "kubepi", copy_function=shutil.copyfile)
    shutil.copytree(ROOT / "manifests", tree / "manifests", copy_function=shutil.copyfile)
    for name in ("LICENSE", "build_zipapp.py", "defaults.yaml"):
        shutil.copyfile(ROOT / name, tree / name)
    return tree


def test_it_is_small_and_executable(pyz: Path) -> None:
    assert pyz.stat().st_size < 5_000_000
    assert pyz.stat().st_mode & 0o7777 == 0o755
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")


@pytest.mark.parametrize("python", SUPPORTED)
def test_same_input_same_bytes(pyz: Path, copied_tree: Path, python: str) -> None:
    done = run(python, copied_tree / "build_zipapp.py")
    assert done.returncode == 0, done.stderr
    assert (copied_tree / "kubepi.pyz").read_bytes() == pyz.read_bytes()


def test_what_is_inside(archive: ZipFile) -> None:
    names = archive.namelist()
    assert names == sorted(names)
    assert {entry.compress_type for entry in archive.infolist()} == {ZIP_STORED}
    ours = {file.relative_to(ROOT).as_posix() for file in (ROOT / "kubepi").rglob("*.py")}
    data = {
        f"kubepi/data/{file.relative_to(ROOT).as_posix()}"
        for file in [ROOT / "defaults.yaml", *(ROOT / "manifests").rglob("*")]
        if file.is_file()
    }
    assert {name for name in names if name.startswith("kubepi/")} == ours | data
    compiled = [name for name in names if not name.endswith((".py", ".pem", ".yaml"))]
    assert all(name.startswith(("_netifaces.", "licenses/", "LICENSE")) for name in compiled)
    assert not [name for name in names if re.search(r"__pycache__|(^|/)tests?[/_]", name)]


def test_the_names_that_win_over_the_system_are_all_known(archive: ZipFile) -> None:
    tops = {re.split(r"[./]", name)[0] for name in archive.namelist()}
    assert tops - {"__main__", "kubepi", "licenses", "LICENSE"} == set(BUNDLED)


def test_every_bundled_package_has_its_licence(archive: ZipFile) -> None:
    folders = {name.split("/")[1] for name in archive.namelist() if name.startswith("licenses/")}
    wanted = {f"{pin[0]}-{pin[1]}".lower().replace("_", "-") for pin in PINS if pin}
    assert {folder.replace("_", "-") for folder in folders} == wanted
    assert b"LESSER GENERAL PUBLIC LICENSE" in archive.read(
        next(name for name in archive.namelist() if re.match(r"licenses/zeroconf-.*/COPYING", name))
    )


@pytest.mark.parametrize(("arch", "machine"), [("aarch64", EM_AARCH64), ("x86_64", EM_X86_64)])
@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_compiled_modules(archive: ZipFile, minor: int, arch: str, machine: int) -> None:
    header = archive.read(f"_netifaces.cpython-3{minor}-{arch}-linux-gnu.so")[:20]
    assert header[:6] == b"\x7fELF\x02\x01"  # 64 bits, little endian
    assert int.from_bytes(header[18:20], "little") == machine


@pytest.mark.parametrize("python", SUPPORTED)
def test_it_runs(pyz: Path, python: str) -> None:
    done = run(python, "-I", pyz, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert VERSION in done.stdout


@pytest.mark.parametrize("python", TOO_OLD)
def test_an_old_python_reads_a_sentence(pyz: Path, python: str) -> None:
    done = run(python, "-I", pyz, "--version")
    assert done.returncode == 2
    assert re.fullmatch(r"kubepi: Python 3[.\d]+ is too old\nhint: use Python .*\n", done.stderr)


def test_a_checkout_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubepi", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


COMPILE_ALL = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for name in archive.namelist():
        if name.endswith(".py"):
            compile(archive.read(name), name, "exec")
"""


@pytest.mark.parametrize("python", SUPPORTED)
def test_every_module_compiles(pyz: Path, python: str) -> None:
    done = run(python, "-I", "-W", "error", "-c", COMPILE_ALL, pyz)
    assert done.returncode == 0, done.stderr


# A .pth file may import a module before the archive is in sys.path: here a false yaml stands for it
IMPORT_BUNDLED = """
import pathlib, sys, types
pyz, cache = sys.argv[1:]
sys.modules["yaml"] = types.ModuleType("yaml")
sys.path.insert(0, pyz)
from kubepi.__main__ import BUNDLED, forget_other_copies
forget_other_copies()
from kubepi.native import load_netifaces
assert "lo" in load_netifaces(pathlib.Path(cache)).interfaces()
for name in BUNDLED:
    print(name, __import__(name).__file__)
import requests.adapters, yaml, zeroconf.asyncio
assert yaml.safe_load("a: [1, b]") == {"a": [1, "b"]}
assert not yaml.__with_libyaml__
"""


@pytest.mark.parametrize("python", SUPPORTED)
def test_bundled_copies_win(pyz: Path, tmp_path: Path, python: str) -> None:
    done = run(python, "-I", "-c", IMPORT_BUNDLED, pyz, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    places = dict(line.split() for line in done.stdout.splitlines())
    assert Path(places.pop("_netifaces")).is_relative_to(tmp_path / "cache")
    assert set(places) == set(BUNDLED) - {"_netifaces"}
    assert all(place.startswith(f"{pyz}/") for place in places.values()), places


SWAP = """
import pathlib, sys
pyz, cache = sys.argv[1:]
sys.path.insert(0, pyz)
from kubepi.native import load_netifaces
print(load_netifaces(pathlib.Path(cache)).__file__)
"""


def test_a_swapped_copy_is_not_run(pyz: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run(sys.executable, "-I", "-c", SWAP, pyz, cache).returncode == 0
    (file,) = cache.glob("*/_netifaces.*")
    right = file.read_bytes()
    file.write_bytes(b"not a module")
    done = run(sys.executable, "-I", "-c", SWAP, pyz, cache)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == right


DATA = """
import sys
sys.path.insert(0, sys.argv[1])
from kubepi.resources import manifest_names, read_text
print(*manifest_names())
print(read_text("defaults.yaml"), end="")
"""


def test_its_data_can_be_read(pyz: Path) -> None:
    done = run(sys.executable, "-I", "-c", DATA, pyz)
    assert done.returncode == 0, done.stderr
    first, _, defaults = done.stdout.partition("\n")
    assert first.split() == sorted(f.name for f in (ROOT / "manifests").iterdir() if f.is_dir())
    assert defaults == (ROOT / "defaults.yaml").read_text()


def test_a_wheel_that_is_not_the_pinned_one(copied_tree: Path, tmp_path: Path) -> None:
    digest = PINS[1][-1]
    cache = tmp_path / "kubepi-build"
    cache.mkdir()
    for pin in filter(None, PINS):
        (cache / f"{pin[-1]}.whl").write_bytes(b"something else")
    (copied_tree / "kubepi.pyz").write_text("of an earlier build")
    before = sorted(entry.name for entry in copied_tree.iterdir())
    build = copied_tree / "build_zipapp.py"
    done = run(sys.executable, build, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert re.fullmatch(rf"build_zipapp: .*{digest}.whl is not .* as pinned; .*\n", done.stderr)
    assert (copied_tree / "kubepi.pyz").read_text() == "of an earlier build"
    assert sorted(entry.name for entry in copied_tree.iterdir()) == before
