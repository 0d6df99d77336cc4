"""A kit with the image of local-path-provisioner too, which the lab's own kit lacks; made once."""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import kitoci
import kitpack
import yaml
from kitgo import Go
from kitrecipe import Recipe, own_architecture, recipe_for
from labbase import CACHE
from labrun import locked

NAME = "local-path-provisioner"
BUILD_SECONDS = 1800


def with_volumes(kit: Path) -> Path:
    """`kit`, or a copy of it with that one image.

    Raises:
        NotReady: it has to be built, and there is no Go.
    """
    recipe = recipe_for(own_architecture())
    images = next(images for name, images in recipe.archives if name == NAME)
    bundle = yaml.safe_load((kit / "bundle.yaml").read_text())
    held = {reference for file in bundle["images"] for reference in file["references"]}
    if {image.reference for image in images} <= held:
        return kit
    return changed_copy("addon-kit", kit, str(recipe.folder).encode(), partial(_add, recipe))


def changed_copy(name: str, kit: Path, seed: bytes, change: Callable[[Path], None]) -> Path:
    """A copy of `kit` that `change` has worked on, made once and kept; `seed`: all it depends on.

    Built aside and renamed: a folder of that name is always whole.
    """
    digest = hashlib.sha256((kit / "bundle.yaml").read_bytes() + seed)
    whole = CACHE / f"{name}-{digest.hexdigest()[:12]}"
    with locked(f"kubepi-lab-{whole.name}", BUILD_SECONDS):
        if not whole.is_dir():
            aside = whole.with_name(f"{whole.name}.unfinished")
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(kit, aside)
            for path in (aside, *aside.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            change(aside)
            os.rename(aside, whole)  # noqa: PTH104 - both names stay as they are
    return whole


def _add(recipe: Recipe, kit: Path) -> None:
    bundle = yaml.safe_load((kit / "bundle.yaml").read_text())
    file = kit / "images" / f"{NAME}.tar"
    built = recipe.folder / "images" / f"{NAME}.tar"
    if built.exists():
        shutil.copyfile(built, file)
    else:
        _build(recipe, kit / "work", file)
    images = next(images for name, images in recipe.archives if name == NAME)
    bundle["images"].append({
        "file": f"images/{NAME}.tar", "sha256": kitoci.sha256(file),
        "references": [image.reference for image in images],
    })  # fmt: skip
    (kit / "bundle.yaml").write_text(yaml.safe_dump(bundle, sort_keys=False))


def _build(recipe: Recipe, work: Path, file: Path) -> None:
    programs, tree = work / "programs", work / "layers" / NAME
    for folder in (programs, tree):
        folder.mkdir(parents=True)
    part = next(part for part in recipe.parts if part.name == NAME)
    Go(recipe.architecture, CACHE / f"{NAME}.log").build(part, work, programs)
    kitpack.lay_out(next(one for one in recipe.layers if one.name == NAME), programs, tree)
    images = next(images for name, images in recipe.archives if name == NAME)
    layers = {NAME: kitoci.pack_layer(tree, work)}
    kitoci.pack_archive(images, recipe.architecture, layers, work, file)
    shutil.rmtree(work)
