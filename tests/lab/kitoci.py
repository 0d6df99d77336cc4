"""OCI archives: folders become layers, layers with a configuration become images."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kitimages import Image
from kitparts import PUBLISHED
from labrun import run

EPOCH = int(datetime.fromisoformat(PUBLISHED).timestamp())
# Half of what level 19 saves, in a twentieth of its time.
ZSTD_LEVEL = 12
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OCI = "application/vnd.oci.image"


def tar(folder: Path, file: Path) -> None:
    """An archive that is the same bytes for the same content."""
    names = sorted(entry.name for entry in folder.iterdir())
    same = ["--sort=name", "--format=gnu", f"--mtime=@{EPOCH}", "--owner=0", "--group=0",
            "--numeric-owner", "--hard-dereference"]  # fmt: skip
    run(["tar", "--create", "--file", str(file), *same, f"--directory={folder}", "--", *names])


def pack_layer(tree: Path, work: Path) -> tuple[Path, str]:
    """A layer's file, compressed, and the digest of what is in it."""
    file = work / f"{tree.name}.layer"
    tar(tree, file)
    content = sha256(file)
    run(["zstd", "--quiet", "--rm", f"-{ZSTD_LEVEL}", str(file)])
    return file.with_name(f"{file.name}.zst"), content


def pack_archive(
    images: Iterable[Image],
    architecture: str,
    layers: Mapping[str, tuple[Path, str]],
    work: Path,
    file: Path,
) -> None:
    """An OCI archive of these images; a layer that several have is in it once."""
    folder = work / f"oci-{file.stem}"
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    entries = []
    for image in images:
        found = []
        for name in image.layers:
            source, content = layers[name]
            digest = sha256(source)
            if not (blobs / digest).exists():
                os.link(source, blobs / digest)
            described = descriptor(f"{OCI}.layer.v1.tar+zstd", digest, source.stat().st_size)
            found.append((described, content))
        config = add_json(blobs, f"{OCI}.config.v1+json", config_of(image, architecture, found))
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": config,
            "layers": [described for described, _ in found],
        }
        entries.append(
            add_json(blobs, f"{OCI}.manifest.v1+json", manifest)
            | {
                "platform": {"architecture": architecture, "os": "linux"},
                "annotations": {
                    "io.containerd.image.name": image.reference,
                    "org.opencontainers.image.ref.name": image.reference,
                },
            }
        )
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    tar(folder, file)


def config_of(
    image: Image, architecture: str, layers: Iterable[tuple[dict[str, Any], str]]
) -> dict[str, Any]:
    """How to run an image. Its label makes it another one than a namesake of the same layers."""
    settings: dict[str, Any] = {
        "Env": [PATH],
        "Labels": {"org.opencontainers.image.ref.name": image.reference},
    }
    if image.entrypoint:
        settings["Entrypoint"] = [image.entrypoint]
    if image.command:
        settings["Cmd"] = [image.command]
    if image.user:
        settings["User"] = image.user
    return {
        "architecture": architecture,
        "os": "linux",
        "created": PUBLISHED,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{content}" for _, content in layers]},
    }


def add_json(blobs: Path, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(content).encode()
    digest = hashlib.sha256(text).hexdigest()
    (blobs / digest).write_bytes(text)
    return descriptor(kind, digest, len(text))


def descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
