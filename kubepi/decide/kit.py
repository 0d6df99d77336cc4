"""The offline kit's table of contents (bundle.yaml), parsed and asked; pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubepi.errors import KubepiError

DEB = re.compile(r"^(?P<name>[a-z0-9][a-z0-9+.-]+)_(?P<version>[^_]+)_(?P<arch>[a-z0-9]+)\.deb$")
SERVER_IMAGE = re.compile(r"^registry\.k8s\.io/kube-[a-z-]+:(v[0-9.]+)$")
HINT = "the format is described in the README, section Offline kit"


@dataclass(frozen=True)
class KitFile:
    """One file of a kit; `path` is relative to the kit, `references` are image names."""

    path: str
    sha256: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kit:
    """What a kit holds. `architecture` as dpkg names it; versions with their leading v."""

    architecture: str
    versions: tuple[str, ...]
    packages: tuple[KitFile, ...]
    images: tuple[KitFile, ...]

    def deb(self, package: str, version: str = "") -> KitFile | None:
        """The newest .deb of a package, of `version` (1.36.3) if one is named and held."""
        found = []
        for file in self.packages:
            match = DEB.match(file.path.rpartition("/")[2])
            if match is not None and match["name"] == package:
                found.append((version_key(match["version"]), match["version"], file))
        exact = [entry for entry in found if entry[1].startswith(f"{version}-")]
        best = max(exact or found, default=None, key=lambda entry: entry[0])
        return None if best is None else best[2]

    def images_for(self, version: str) -> tuple[KitFile, ...]:
        """Image files worth importing: all but the servers of other Kubernetes versions."""
        return tuple(
            file
            for file in self.images
            if not (others := [SERVER_IMAGE.match(name) for name in file.references])
            or not all(match is not None and match[1] != version for match in others)
        )


def version_key(version: str) -> tuple[int, ...]:
    """`v1.36.3` or `1.36.3-1.1` as numbers that compare."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def newest(versions: Iterable[str], wanted: str) -> str | None:
    """The newest of `versions` (v1.36.3 …) that fits `wanted`: newest, 1.36 or v1.36.3."""
    minor = wanted.lstrip("v")
    fitting = [
        version
        for version in versions
        if wanted == "newest" or version.lstrip("v") == minor or version[1:].startswith(f"{minor}.")
    ]
    return max(fitting, default=None, key=version_key)


def parse(data: Any, source: str) -> Kit:
    """The parsed YAML of bundle.yaml as a Kit.

    Raises:
        KubepiError: it is not of format 1 or lacks something.
    """
    if not isinstance(data, dict) or data.get("format") != 1:
        raise KubepiError(f"{source} is not a kit of format 1", HINT)
    try:
        return Kit(
            architecture=str(data["architecture"]),
            versions=tuple(str(version) for version in data["kubernetes"]),
            packages=tuple(_file(entry) for entry in data["packages"]),
            images=tuple(_file(entry) for entry in data["images"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise KubepiError(f"{source} is incomplete: {error}", HINT) from error


def _file(entry: dict[str, Any]) -> KitFile:
    path = str(entry["file"])
    if path.startswith("/") or ".." in path.split("/"):
        raise KeyError(f"{path} leads out of the kit")
    return KitFile(path, str(entry["sha256"]), tuple(entry.get("references", ())))
