"""Add-ons as data: what an addon.yaml says, what needs what, which settings they may have; pure.

Tests: tests/unit/test_addon_choice.py, tests/unit/test_addons.py.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubepi.decide.share import NONE
from kubepi.decide.values import close_to, quoted
from kubepi.errors import KubepiError

INSTALL, SETTINGS = "addons.install", "addons.settings"
PROVISIONER = "local-path-provisioner"
LOCAL_CLASS, SHARED_CLASS = "kubepi-local", "kubepi-nfs"
LOCAL_VOLUMES = "/var/lib/kubepi-volumes"
READY_KINDS = ("deployment", "daemonset", "statefulset", "apiservice")
KEYS = {
    "description", "version", "images", "architectures", "needs", "settings", "secrets", "ready",
    "notes", "always", "needs_share",
}  # fmt: skip

Value = str | int | bool


@dataclass(frozen=True)
class Setting:
    """What an add-on lets its user choose; the type of the default is the type of the value."""

    default: Value
    about: str


@dataclass(frozen=True)
class Ready:
    """One line of `ready`: an object that has to be available; `namespace` may be ""."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Addon:
    """One folder of manifests/, as its addon.yaml describes it; `secrets`: name -> what for."""

    name: str
    description: str
    version: str
    images: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ("amd64", "arm64")
    needs: tuple[str, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[Ready, ...] = ()
    notes: str = ""
    always: bool = False
    needs_share: bool = False

    @property
    def label(self) -> str:
        """Its version as a label may hold it."""
        return re.sub("[^A-Za-z0-9._-]", "-", self.version)[:63].strip("._-")


Catalogue = Mapping[str, Addon]


def parse(name: str, data: Any) -> Addon:
    """The parsed YAML of an addon.yaml.

    Raises:
        KubepiError: it is not as it should be.
    """
    try:
        if unknown := set(data) - KEYS:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        settings = data.get("settings") or {}
        return Addon(
            name,
            description=data["description"],
            version=str(data["version"]),
            images=tuple(data.get("images") or ()),
            architectures=tuple(data.get("architectures") or ("amd64", "arm64")),
            needs=tuple(data.get("needs") or ()),
            settings={key: Setting(**entry) for key, entry in settings.items()},
            secrets=dict(data.get("secrets") or {}),
            ready=tuple(_ready(line) for line in data.get("ready") or ()),
            notes=str(data.get("notes") or "").strip(),
            always=bool(data.get("always", False)),
            needs_share=bool(data.get("needs_share", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise KubepiError(f"manifests/{name}/addon.yaml is not as it should be: {error}") from error


def _ready(line: str) -> Ready:
    kind, _, name = line.partition(" ")
    if kind not in READY_KINDS or not name:
        raise ValueError(f"ready: {line!r}")
    namespace, _, own = name.rpartition("/")
    return Ready(kind, namespace, own)


def in_order(names: Collection[str], catalogue: Catalogue) -> list[str]:
    """These add-ons and all that they need, what is needed first."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for other in catalogue[name].needs if name in catalogue else ():
            add(other)
        found[name] = None

    for name in names:
        add(name)
    return list(found)


def those_that_need(name: str, others: Collection[str], catalogue: Catalogue) -> list[str]:
    return [other for other in others if name in in_order([other], catalogue)[:-1]]


# --- what a user may write ----------------------------------------------------------------


def unknown_addon(name: str, catalogue: Catalogue) -> str:
    """The sentence about a name that is no add-on that one can choose."""
    if name in catalogue:
        return f"{name} is always there; it cannot be chosen"
    choices = [other for other, addon in catalogue.items() if not addon.always]
    close = close_to(name, choices)
    hint = f"did you mean {close}?" if close else f"there are {', '.join(choices)}"
    return f"{quoted(name)} is no add-on; {hint}"


def problems(settings: Mapping[str, Any], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """The setting of kubepi, and a sentence about it."""
    for name in settings[INSTALL]:
        if name not in catalogue or catalogue[name].always:
            yield INSTALL, unknown_addon(name, catalogue)
        elif (sentence := lacks_share(catalogue[name], settings)) is not None:
            yield INSTALL, sentence
    for name, given in settings[SETTINGS].items():
        if name not in catalogue or catalogue[name].always:
            yield SETTINGS, unknown_addon(name, catalogue)
        elif not isinstance(given, dict):
            yield SETTINGS, f"{name}: settings belong here, like {{{name}: {{setting: value}}}}"
        else:
            for key, value in given.items():
                sentence = wrong_setting(catalogue[name], key, value)
                if sentence is not None:
                    yield SETTINGS, sentence


def lacks_share(addon: Addon, settings: Mapping[str, Any]) -> str | None:
    """The sentence about an add-on whose pods on all nodes write to one volume."""
    if not addon.needs_share or share_mount(settings):
        return None
    return (
        f"{addon.name} needs a volume that all nodes have, and this cluster has no share; "
        "leave storage.nfs.server out, or move to one: kubepi storage migrate --to PLACE"
    )


def wrong_setting(addon: Addon, key: str, value: Any) -> str | None:
    """What is wrong with a setting of an add-on; None if nothing is."""
    if key not in addon.settings:
        if not addon.settings:
            return f"{addon.name}.{key}: unknown setting; {addon.name} has none"
        close = close_to(key, addon.settings)
        hint = f"did you mean {close}?" if close else f"it has {', '.join(addon.settings)}"
        return f"{addon.name}.{key}: unknown setting; {hint}"
    try:
        typed(addon.settings[key], value)
    except ValueError as error:
        return f"{addon.name}.{key}: {error}"
    return None


def typed(setting: Setting, value: Any) -> Value:
    """A value as the setting's default is: what was typed on a command line is text.

    Raises:
        ValueError: it cannot be that; the sentence says why.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, dict | list) or value is None or not text.isprintable():
        raise ValueError("one plain value belongs here")
    if isinstance(setting.default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{quoted(text)} is neither true nor false")
        return text.lower() == "true"
    if isinstance(setting.default, int):
        if not re.fullmatch("0|[1-9][0-9]{0,8}", text):
            raise ValueError(f"{quoted(text)} is not a whole number; write it like 5")
        return int(text)
    if isinstance(value, bool):
        raise ValueError(f'{text} is text here; put it in quotes: "{text}"')
    if set(text) & set("\"'\\`"):
        # it goes into a manifest as it is
        raise ValueError("quotes and backslashes cannot be in it")
    return text


# --- what goes into the manifests -----------------------------------------------------------


def share_mount(settings: Mapping[str, Any]) -> str:
    """Where every node has the cluster's share; "" where no share is configured."""
    server = settings.get("storage.nfs.server", NONE)
    return "" if server == NONE else str(settings["storage.nfs.mount"])


def default_class(settings: Mapping[str, Any]) -> str:
    """The StorageClass of claims that name none; "" if these are to wait for somebody's own."""
    chosen = settings.get("storage.default_class", "auto")
    if chosen == "none":
        return ""
    return SHARED_CLASS if share_mount(settings) and chosen != LOCAL_CLASS else LOCAL_CLASS


def provisioner_config(settings: Mapping[str, Any]) -> str:
    """config.json of local-path-provisioner: each class by its name."""
    everywhere = {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [LOCAL_VOLUMES]}
    classes: dict[str, Any] = {LOCAL_CLASS: {"nodePathMap": [everywhere]}}
    if mount := share_mount(settings):
        classes[SHARED_CLASS] = {"sharedFileSystemPath": mount}
    return json.dumps({"storageClassConfigs": classes})


def values_of(addon: Addon, settings: Mapping[str, Any]) -> dict[str, str]:
    """What `${…}` stands for in its manifests, but for secrets and what the machine decides."""
    from string import Template

    default = default_class(settings)
    best = SHARED_CLASS if share_mount(settings) else LOCAL_CLASS
    values = {
        "cluster_name": str(settings["cluster.name"]),
        "pod_subnet": str(settings["kubernetes.pod_subnet"]),
        "storage_class": default or best,
        "has_share": _shown(best == SHARED_CLASS),
        "local_is_default": _shown(default == LOCAL_CLASS),
        "shared_is_default": _shown(default == SHARED_CLASS),
        "local_path_config": provisioner_config(settings),
    }
    given = settings.get(SETTINGS, {}).get(addon.name, {})
    own = {
        key.replace("-", "_"): _shown(typed(setting, given.get(key, setting.default)))
        for key, setting in addon.settings.items()
    }
    return values | {key: Template(text).substitute(values) for key, text in own.items()}


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def typed_settings(given: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """As typed() has them, for the goal: `5` and "5" are one goal."""
    return {
        name: {
            key: typed(catalogue[name].settings[key], value)
            for key, value in pairs.items()
            if key in catalogue[name].settings
        }
        for name, pairs in given.items()
        if name in catalogue
    }


def all_images(names: Sequence[str], catalogue: Catalogue) -> list[str]:
    """Each image of these add-ons once."""
    return list(dict.fromkeys(image for name in names for image in catalogue[name].images))
