"""The files kubepi carries: defaults.yaml and manifests/, in the archive or in a checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def _data() -> Traversable:
    packed = files("kubepi").joinpath("data")
    return packed if packed.is_dir() else Path(__file__).parent.parent


def read_text(name: str) -> str:
    """Text of a carried file, e.g. `defaults.yaml` or `manifests/flannel/flannel.yaml`."""
    return _data().joinpath(*name.split("/")).read_text(encoding="utf-8")


def manifest_names() -> list[str]:
    """Names of the folders below manifests/, sorted."""
    folder = _data().joinpath("manifests")
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def manifest_files(name: str) -> list[str]:
    """The plain manifests of one add-on, sorted, as names for read_text()."""
    folder = _data().joinpath("manifests", name)
    return [
        f"manifests/{name}/{entry.name}"
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml") and entry.name != "addon.yaml"
    ]


def own_file() -> str:
    """Path of the kubepi.pyz that runs; "" when kubepi runs from its source."""
    archive = Path(__file__).parent.parent
    return str(archive.resolve()) if archive.is_file() else ""
