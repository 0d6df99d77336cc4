"""What is carried below manifests/: rendered for this cluster and compared with what is there."""

from collections.abc import Mapping
from string import Template
from typing import Any

from kubepi.resources import manifest_files, read_text


def render(name: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The objects of one folder of manifests/, `${value}` filled in, each labelled as ours."""
    import yaml

    objects: list[dict[str, Any]] = []
    for file in manifest_files(name):
        text = Template(read_text(file)).substitute(values)
        objects += [item for item in yaml.safe_load_all(text) if item is not None]
    for item in objects:
        labels = item["metadata"].setdefault("labels", {})
        labels["app.kubernetes.io/managed-by"] = "kubepi"
        labels["kubepi.io/addon"] = name
    return objects


def addon_images(name: str) -> list[str]:
    """The images that an add-on's addon.yaml names."""
    import yaml

    return list(yaml.safe_load(read_text(f"manifests/{name}/addon.yaml"))["images"])


def identity(item: Mapping[str, Any]) -> tuple[str, str, str]:
    meta = item["metadata"]
    return item["kind"], meta.get("namespace", ""), meta["name"]


def differs(wanted: Any, found: Any, where: str = "") -> str | None:
    """Where `found` does not contain what is `wanted`; None if it does.

    The server adds fields (defaults, status), so only what we wrote is compared. Lists are
    compared whole, item by item.
    """
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return where or "object"
        for key, value in wanted.items():
            if key not in found:
                # the API leaves empty maps and lists out
                if value in ({}, [], "", None):
                    continue
                return f"{where}.{key}"
            inner = differs(value, found[key], f"{where}.{key}")
            if inner is not None:
                return inner
        return None
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return where
        pairs = enumerate(zip(wanted, found, strict=True))
        results = (differs(one, other, f"{where}[{n}]") for n, (one, other) in pairs)
        return next((result for result in results if result is not None), None)
    return None if wanted == found else where
