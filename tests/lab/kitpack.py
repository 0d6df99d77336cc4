"""Programs become Debian packages, the trees of image layers, and the kit's table of contents."""

import shutil
from pathlib import Path

from kitimages import Layer
from kitoci import EPOCH, ZSTD_LEVEL, sha256
from kitparts import KUBERNETES, REVISION, Deb
from kitrecipe import SOURCES, Recipe
from labrun import run

MAINTAINER = "kubepi lab <root@localhost>"


def pack_deb(deb: Deb, architecture: str, work: Path, debs: Path) -> None:
    tree = work / f"deb-{deb.name}"
    for name in deb.programs:
        put(work / "programs" / name, tree / deb.folder / name, 0o755)
    for target, name in deb.files:
        put(SOURCES / name, tree / target, 0o755 if target.startswith("DEBIAN/") else 0o644)
    for name in deb.empty:
        (tree / name).mkdir(parents=True)
    control = tree / "DEBIAN/control"
    control.parent.mkdir(exist_ok=True)
    control.write_text(control_file(deb, architecture, kilobytes(tree)))
    file = debs / f"{deb.name}_{deb.version}-{REVISION}_{architecture}.deb"
    options = ["--root-owner-group", "-Zzstd", f"-z{ZSTD_LEVEL}", "--build"]
    run(["env", f"SOURCE_DATE_EPOCH={EPOCH}", "dpkg-deb", *options, str(tree), str(file)])


def control_file(deb: Deb, architecture: str, installed_size: int) -> str:
    fields = {
        "Package": deb.name,
        "Version": f"{deb.version}-{REVISION}",
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(installed_size),
        "Depends": deb.depends,
        "Section": "misc",
        "Priority": "optional",
        "Description": f"{deb.description}\n Built from the published Go modules for the lab.",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def put(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def kilobytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 1024


def index_debs(debs: Path) -> None:
    """Packages makes the folder an apt repository."""
    listed = run(["env", f"--chdir={debs}", "apt-ftparchive", "packages", "."]).stdout
    (debs / "Packages").write_text(listed)


def lay_out(layer: Layer, programs: Path, tree: Path) -> None:
    """The files of a layer of programs in a folder."""
    for target, name in layer.programs:
        put(programs / name, tree / target, 0o755)
    for target, name in layer.links:
        (tree / target).symlink_to(name)


def write_contents(recipe: Recipe, kit: Path) -> None:
    """bundle.yaml: what the kit holds, and the sha256 of every file."""
    lines = [
        "# What this kit holds. A consumer checks every sha256 before it uses a file.",
        "format: 1",
        f"architecture: {recipe.architecture}",
        "kubernetes:",
        f"  - {KUBERNETES}",
        "packages:",
    ]
    for file in sorted((kit / "debs").glob("*.deb")):
        lines += [f"  - file: debs/{file.name}", f"    sha256: {sha256(file)}"]
    lines += ["index:", "  file: debs/Packages", f"  sha256: {sha256(kit / 'debs/Packages')}"]
    lines.append("images:")
    for name, images in recipe.archives:
        lines += [f"  - file: images/{name}.tar"]
        lines += [f"    sha256: {sha256(kit / 'images' / f'{name}.tar')}", "    references:"]
        lines += [f"      - {image.reference}" for image in images]
    (kit / "bundle.yaml").write_text("".join(f"{line}\n" for line in lines))
