"""What is carried below manifests/: described, rendered for this cluster, compared with what is
there. Tests: tests/unit/test_addons.py."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from string import Template
from typing import Any

from kubepi.decide.addons import Addon, Catalogue, all_images, in_order, parse
from kubepi.errors import KubepiError
from kubepi.resources import manifest_files, manifest_names, read_text

LABEL, VERSION_LABEL = "kubepi.io/addon", "kubepi.io/addon-version"
ONLY_IF = "kubepi.io/only-if"  # an annotation: without "true" in it the object is left out

STAMP = "kubepi.io/config"  # an annotation of pods: what they were configured with
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")

Object = dict[str, Any]


@cache
def read_addon(name: str) -> Addon:
    import yaml

    return parse(name, yaml.safe_load(read_text(f"manifests/{name}/addon.yaml")))


@cache
def _documents(text: str) -> tuple[Object, ...]:
    """Each step looks at its manifests three times, and a Pi needs a second for that YAML."""
    import yaml

    return tuple(item for item in yaml.safe_load_all(text) if item is not None)


def read_catalogue() -> Catalogue:
    """Every folder of manifests/, by name."""
    return {name: read_addon(name) for name in manifest_names()}


def addon_images(*names: str) -> list[str]:
    """The images of these add-ons and of all that they need."""
    catalogue = read_catalogue()
    return all_images(in_order(names, catalogue), catalogue)


def manifests(name: str) -> list[str]:
    return [read_text(file) for file in manifest_files(name)]


def render(
    addon: Addon,
    values: Mapping[str, str],
    secrets: Mapping[str, str],
    texts: Sequence[str] | None = None,
) -> list[Object]:
    """The objects of one add-on, `${value}` filled in, each labelled as ours.

    `secrets`, by name, get into objects of the kind Secret and nowhere else; `texts` are its
    manifests, by default those of its folder.
    """
    kept = {f"secret_{name.replace('-', '_')}": name for name in addon.secrets}
    # left as they are in the text: a Secret alone is given the value, once it is an object
    filled = {**values, **{key: f"${{{key}}}" for key in kept}}
    objects: list[Object] = []
    for text in manifests(addon.name) if texts is None else texts:
        text = Template(text).substitute(filled)
        objects += deepcopy(_documents(text))
    objects = [item for item in objects if _is_wanted(item)]
    for item in objects:
        if item["kind"] == "Secret":
            _fill(item, {f"${{{key}}}": secrets[name] for key, name in kept.items()})
        elif "${secret_" in str(item):
            raise KubepiError(f"manifests/{addon.name}: a secret is in a {item['kind']}")
        _label(item, addon)
    _stamp_pods(objects)
    return objects


def _stamp_pods(objects: list[Object]) -> None:
    """Pods that read a ConfigMap or Secret only when they start begin anew when it changes."""
    texts = {
        (item["metadata"]["namespace"], item["kind"], item["metadata"]["name"]): str(item["data"])
        for item in objects
        if item["kind"] in ("ConfigMap", "Secret")
    }
    for item in objects:
        template = item.get("spec", {}).get("template")
        if item["kind"] in WORKLOADS and isinstance(template, dict):
            namespace, pod = item["metadata"].get("namespace"), str(template["spec"])
            read = [
                text for (where, _, name), text in sorted(texts.items())
                if where == namespace and f"'{name}'" in pod
            ]  # fmt: skip
            if read:
                digest = hashlib.sha256("".join(read).encode()).hexdigest()[:12]
                template["metadata"].setdefault("annotations", {})[STAMP] = digest


def _is_wanted(item: Object) -> bool:
    annotations = item["metadata"].get("annotations", {})
    answer = annotations.pop(ONLY_IF, "true")
    if not annotations:
        item["metadata"].pop("annotations", None)
    return bool(answer == "true")


def _fill(secret: Object, values: Mapping[str, str]) -> None:
    """stringData becomes data, which is what the API gives back."""
    data = secret.setdefault("data", {})
    for key, text in secret.pop("stringData", {}).items():
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        data[key] = base64.b64encode(text.encode()).decode()


def _label(item: Object, addon: Addon) -> None:
    labels = item["metadata"].setdefault("labels", {})
    labels["app.kubernetes.io/managed-by"] = "kubepi"
    labels[LABEL] = addon.name
    labels[VERSION_LABEL] = addon.label
    for claim in item.get("spec", {}).get("volumeClaimTemplates", []) if _has_claims(item) else []:
        # without the version, which cannot change in a StatefulSet
        claim["metadata"].setdefault("labels", {})[LABEL] = addon.name


def _has_claims(item: Object) -> bool:
    return bool(item["kind"] == "StatefulSet")


def settled(wanted: list[Object], found: list[Object]) -> list[Object]:
    """With the claims as they are: what a claim asked for cannot change while it has its data."""
    there = {identity(item): item["spec"] for item in found if "spec" in item}
    result = []
    for item in wanted:
        before = there.get(identity(item), {})
        if item["kind"] == "PersistentVolumeClaim" and before:
            item = {**item, "spec": {key: before[key] for key in item["spec"] if key in before}}
        elif _has_claims(item) and "volumeClaimTemplates" in before:
            templates = before["volumeClaimTemplates"]
            item = {**item, "spec": {**item["spec"], "volumeClaimTemplates": templates}}
        result.append(item)
    return result


def hidden_texts(objects: list[Object]) -> list[str]:
    """All that no log may hold: what is in Secrets, as it is and as the API has it."""
    data = [text for item in objects if item["kind"] == "Secret" for text in item["data"].values()]
    return [*data, *(base64.b64decode(text).decode(errors="replace") for text in data)]


def identity(item: Mapping[str, Any]) -> tuple[str, str, str]:
    meta = item["metadata"]
    return item["kind"], meta.get("namespace", ""), meta["name"]


def kind_of(item: Mapping[str, Any]) -> str:
    """As kubectl takes it: `configmap`, `deployment.v1.apps`."""
    group, _, version = item["apiVersion"].rpartition("/")
    kind = str(item["kind"]).lower()
    return f"{kind}.{version}.{group}" if group else kind


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
