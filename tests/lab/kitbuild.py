"""The kit from source, built once and kept: programs, packages, images, part after part."""

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import kitdebian
import kitoci
import kitpack
from kitgo import Go, NotReady, find_go
from kitimages import BASE, PROGRAMS, SERVERS
from kitparts import KUBERNETES
from kitrecipe import Recipe, own_architecture, recipe_for
from labmachine import found
from labrun import LabError, locked, run

BUILD_SECONDS = 7200
PACKAGE_OF = {"apt-ftparchive": "apt-utils", "tar": "tar", "zstd": "zstd"}
DURATION = "about 15 minutes on two cores, less where Go has built some of it before"
WAYS_OUT = "name an offline kit by KUBEPI_KIT=DIR, connect this machine to the internet, or {}"


def kit_from_source() -> str:
    """The kit for this machine where nothing else is to be had."""
    print("no offline kit and no internet: using a kit from source", flush=True)
    try:
        return str(source_kit(recipe_for(own_architecture())))
    except NotReady as error:
        sentence = f"no offline kit, no internet, and {error.sentence}"
        raise NotReady(sentence, WAYS_OUT.format(error.cure)) from error


def source_kit(recipe: Recipe, into: Path | None = None) -> Path:
    """The folder of the kit, built now if it is not there yet."""
    kit = into or recipe.folder
    if into is None and kit.is_dir():
        return kit
    prepare(kit)
    with locked(f"kubepi-lab-{kit.name}", BUILD_SECONDS):
        if not kit.is_dir():
            build(recipe, kit)
    return kit


def prepare(kit: Path) -> None:
    """What can be missing is told before the work begins, with what to do.

    Raises:
        NotReady: a program or the right to write is missing.
    """
    find_go()
    if kit.exists():
        raise NotReady(f"{kit} is there already", "name a folder that is not there yet")
    try:
        aside(kit).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotReady(f"cannot make {kit}: {error.strerror}", "be root, or --into DIR") from error
    missing = {package for program, package in PACKAGE_OF.items() if not found(program)}
    if not Path(kitdebian.KEYRING).exists():
        missing.add("debian-archive-keyring")
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *sorted(missing)]
    if os.geteuid() != 0:
        raise NotReady(f"missing here: {', '.join(sorted(missing))}", f"sudo {' '.join(install)}")
    if run(install, check=False).returncode != 0:
        run(["apt-get", "update"])
        run(install)


def build(recipe: Recipe, kit: Path) -> None:
    """Built aside and renamed: a folder of that name is always whole."""
    log = kit.with_name(f"{kit.name}.log")
    log.unlink(missing_ok=True)
    go = Go(recipe.architecture, log)
    unfinished = aside(kit)
    if unfinished.exists():
        shutil.rmtree(unfinished)
    work, programs = unfinished / "work", unfinished / "work/programs"
    for folder in (programs, work / "layers", unfinished / "debs", unfinished / "images"):
        folder.mkdir(parents=True)
    print(f"building a kit from source, once: {DURATION}\n{kit} (log: {log})", flush=True)
    start = time.monotonic()
    for part in recipe.parts:
        timed(f"build {part.name}", partial(go.build, part, work, programs))
    timed("pack packages", lambda: pack_debs(recipe, work, unfinished / "debs"))
    timed("pack images", lambda: pack_images(recipe, work, unfinished / "images", log))
    timed("check versions", lambda: check(recipe, work))
    shutil.rmtree(work)
    kitpack.write_contents(recipe, unfinished)
    unfinished.rename(kit)
    megabytes = sum(file.stat().st_size for file in kit.rglob("*") if file.is_file()) / 2**20
    print(f"{time.monotonic() - start:7.1f} s altogether, {megabytes:.0f} MB", flush=True)


def aside(kit: Path) -> Path:
    return kit.with_name(f"{kit.name}.unfinished")


def timed(what: str, work: Callable[[], object]) -> None:
    start = time.monotonic()
    work()
    print(f"{time.monotonic() - start:7.1f} s {what}", flush=True)


def check(recipe: Recipe, work: Path) -> None:
    """What can run here says its version, and kubeadm which images it will ask for."""
    if recipe.architecture != own_architecture():
        return
    kubeadm = str(work / "programs/kubeadm")
    asked = [[kubeadm, "version", "-o", "short"], [str(work / "programs/kubelet"), "--version"]]
    asked.append([str(work / "programs/kubectl"), "version", "--client"])
    asked += [[str(work / "layers/kubernetes" / PROGRAMS / name), "--version"] for name in SERVERS]
    for argv in asked:
        said = run(argv).stdout
        if KUBERNETES not in said.split():
            raise LabError(f"{argv[0]} is not of {KUBERNETES}: {said}")
    listing = ["config", "images", "list", "--kubernetes-version", KUBERNETES]
    wanted = run([kubeadm, *listing]).stdout.split()
    held = {image.reference for _, images in recipe.archives for image in images}
    if missing := sorted(set(wanted) - held):
        raise LabError(f"kubeadm asks for images that the recipe lacks: {', '.join(missing)}")


def pack_debs(recipe: Recipe, work: Path, debs: Path) -> None:
    for deb in recipe.debs:
        kitpack.pack_deb(deb, recipe.architecture, work, debs)
    kitpack.index_debs(debs)


def pack_images(recipe: Recipe, work: Path, images: Path, log: Path) -> None:
    trees = work / "layers"
    (trees / BASE).mkdir()
    kitdebian.base_layer(recipe, work, trees / BASE, log)
    for layer in recipe.layers:
        kitpack.lay_out(layer, work / "programs", trees / layer.name)
    layers = {
        name: kitoci.pack_layer(trees / name, work)
        for name in (BASE, *(layer.name for layer in recipe.layers))
    }
    for name, members in recipe.archives:
        kitoci.pack_archive(members, recipe.architecture, layers, work, images / f"{name}.tar")
