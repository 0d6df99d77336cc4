"""A kit for User-mode Linux: its kernel, as Debian builds it, lacks nf_tables' IPv4 family.

The images that filter packets have both kinds of iptables; one layer more makes the older one
theirs. Everything else of the kit is as it was.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import kitoci
import yaml
from labbase import CACHE
from labrun import locked, run

FILTERING = ("/kube-proxy:", "/flannel:")
OLDER = "xtables-legacy-multi"
NAMES = ("iptables", "iptables-save", "iptables-restore",
         "ip6tables", "ip6tables-save", "ip6tables-restore")  # fmt: skip
BUILD_SECONDS = 600


def with_older_tables(kit: Path) -> Path:
    """A copy of `kit` with those images; made once and kept."""
    digest = hashlib.sha256((kit / "bundle.yaml").read_bytes() + Path(__file__).read_bytes())
    whole = CACHE / f"uml-kit-{digest.hexdigest()[:12]}"
    with locked(f"kubepi-lab-{whole.name}", BUILD_SECONDS):
        if not whole.is_dir():
            aside = whole.with_name(f"{whole.name}.unfinished")
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(kit, aside)
            _change(aside)
            os.rename(aside, whole)  # noqa: PTH104 - both names stay as they are
    return whole


def _change(kit: Path) -> None:
    bundle = yaml.safe_load((kit / "bundle.yaml").read_text())
    for archive in bundle["images"]:
        if any(_filters(reference) for reference in archive["references"]):
            _rewrite(kit / archive["file"], kit / "work")
            archive["sha256"] = kitoci.sha256(kit / archive["file"])
    (kit / "bundle.yaml").write_text(yaml.safe_dump(bundle, sort_keys=False))


def _filters(reference: str) -> bool:
    return any(part in reference for part in FILTERING)


def _rewrite(archive: Path, work: Path) -> None:
    """An OCI archive, its images with one layer more."""
    folder, tree = work / "oci", work / "older-tables"
    folder.mkdir(parents=True)
    (tree / "usr/sbin").mkdir(parents=True)
    for name in NAMES:
        (tree / "usr/sbin" / name).symlink_to(OLDER)
    run(["tar", "--extract", "--file", str(archive), f"--directory={folder}"])
    blobs = folder / "blobs/sha256"
    layer, content = kitoci.pack_layer(tree, work)
    digest = kitoci.sha256(layer)
    shutil.copyfile(layer, blobs / digest)
    described = kitoci.descriptor(f"{kitoci.OCI}.layer.v1.tar+zstd", digest, layer.stat().st_size)
    index = json.loads((folder / "index.json").read_text())
    for entry in index["manifests"]:
        if _filters(entry["annotations"]["org.opencontainers.image.ref.name"]):
            manifest = _read(blobs, entry)
            config = _read(blobs, manifest["config"])
            config["rootfs"]["diff_ids"].append(f"sha256:{content}")
            manifest["config"] = kitoci.add_json(blobs, manifest["config"]["mediaType"], config)
            manifest["layers"].append(described)
            entry |= kitoci.add_json(blobs, entry["mediaType"], manifest)
    (folder / "index.json").write_text(json.dumps(index))
    kitoci.tar(folder, archive)
    shutil.rmtree(work)


def _read(blobs: Path, entry: dict[str, Any]) -> Any:
    return json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
