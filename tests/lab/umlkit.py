"""A kit for User-mode Linux: its kernel, as Debian builds it, lacks nf_tables' IPv4 family.

The images that filter packets have both kinds of iptables; one layer more makes the older one
theirs. Everything else of the kit is as it was.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import kitoci
import yaml
from kitaddons import changed_copy
from labrun import run

FILTERING = ("/kube-proxy:", "/flannel:")
OLDER = "xtables-legacy-multi"
NAMES = ("iptables", "iptables-save", "iptables-restore",
         "ip6tables", "ip6tables-save", "ip6tables-restore")  # fmt: skip


def with_older_tables(kit: Path) -> Path:
    """A copy of `kit` with those images; made once and kept."""
    return changed_copy("uml-kit", kit, Path(__file__).read_bytes(), _change)


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
