"""kubepi/addons.py: the folders of manifests/, what they are made of and what they are held to."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kubepi.addons import (
    Object,
    hidden_texts,
    identity,
    kind_of,
    read_addon,
    read_catalogue,
    render,
)
from kubepi.decide.addons import Addon, default_class, parse, provisioner_config, values_of
from kubepi.errors import KubepiError
from kubepi.resources import manifest_names
from tests.scene import settings

NAMES = manifest_names()
# what may run as root, write its own files or has no limits, each with its reason
MAY_BE_ROOT = {
    "flannel": "writes interfaces and routes of the node, and its plugin into /opt/cni/bin",
}
PORTABLE = {"amd64", "arm64"}


def rendered(name: str, **values: str) -> list[Object]:
    addon = read_addon(name)
    secrets = {secret: f"value-of-{secret}" for secret in addon.secrets}
    return render(addon, values_of(addon, settings()) | {"backend": "vxlan"} | values, secrets)


def images(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from images(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from images(item)
    elif isinstance(tree, str) and tree.startswith("apiVersion: v1\nkind: Pod"):
        yield from images(yaml.safe_load(tree))


def test_there_are_manifests() -> None:
    assert {"flannel", "access", "metrics-server", "local-path-provisioner", "hello"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_object_is_labelled_named_and_there_once(name: str) -> None:
    objects, addon = rendered(name), read_addon(name)
    assert objects
    for item in objects:
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "kubepi"
        assert labels["kubepi.io/addon"] == name
        assert labels["kubepi.io/addon-version"] == addon.label != ""
        assert item["apiVersion"]
        assert kind_of(item).startswith(item["kind"].lower())
    assert len({identity(item) for item in objects}) == len(objects)
    assert objects == rendered(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_fill_in_and_no_image_floats(name: str) -> None:
    text = yaml.safe_dump_all(rendered(name))
    assert "${" not in text.replace("${HOSTNAME##", "").replace("${owner:-", "")
    for image in images(rendered(name)):
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag not in ("", "latest"), f"{image} is another one tomorrow"


@pytest.mark.parametrize("name", NAMES)
def test_the_images_of_addon_yaml_are_exactly_those_used(name: str) -> None:
    """The kit is made from that list."""
    addon = read_addon(name)
    assert addon.description
    assert sorted(addon.images) == sorted(set(images(rendered(name))))
    assert set(addon.architectures) >= PORTABLE


def pods_of(name: str) -> Iterator[dict[str, Any]]:
    for item in rendered(name):
        if item["kind"] in ("Deployment", "DaemonSet", "StatefulSet"):
            yield item["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(MAY_BE_ROOT)))
def test_pods_are_sized_and_hardened(name: str) -> None:
    for pod in pods_of(name):
        above = pod.get("securityContext", {})
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            own = container["securityContext"]
            assert {**above, **own}["runAsNonRoot"]
            assert {**above, **own}["seccompProfile"] == {"type": "RuntimeDefault"}
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"]["drop"] == ["ALL"]
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", NAMES)
def test_what_has_to_be_ready_is_in_it(name: str) -> None:
    there = {(kind.lower(), namespace, own) for kind, namespace, own in
             map(identity, rendered(name))}  # fmt: skip
    assert {(one.kind, one.namespace, one.name) for one in read_addon(name).ready} <= there


@pytest.mark.parametrize("name", NAMES)
def test_what_it_needs_is_there_and_can_be_chosen(name: str) -> None:
    catalogue = read_catalogue()
    assert [need for need in catalogue[name].needs if catalogue[need].always] == []


def test_namespaces_come_before_what_is_in_them() -> None:
    for name in NAMES:
        there = {"", "kube-system", "default"}
        for item in rendered(name):
            kind, namespace, own = identity(item)
            assert namespace in there
            there |= {own} if kind == "Namespace" else set()


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_flannel_gets_the_subnet_and_the_backend(backend: str) -> None:
    objects = rendered("flannel", pod_subnet="10.1.0.0/16", backend=backend)
    config = next(item for item in objects if item["kind"] == "ConfigMap")
    net = yaml.safe_load(config["data"]["net-conf.json"])
    assert (net["Network"], net["Backend"]) == ("10.1.0.0/16", {"Type": backend})


def test_a_value_that_is_missing_is_a_bug() -> None:
    with pytest.raises(KeyError):
        render(read_addon("flannel"), {"backend": "vxlan"}, {})


# --- classes of volumes -----------------------------------------------------------------------


SHARE = {"storage.nfs.server": "master", "storage.nfs.mount": "/mnt/kubepi"}
NO_SHARE = {"storage.nfs.server": "none"}


@pytest.mark.parametrize(
    ("given", "default", "of_ours"),
    [
        (NO_SHARE, "kubepi-local", "kubepi-local"),
        (SHARE, "kubepi-nfs", "kubepi-nfs"),
        (SHARE | {"storage.default_class": "kubepi-local"}, "kubepi-local", "kubepi-local"),
        (NO_SHARE | {"storage.default_class": "kubepi-nfs"}, "kubepi-local", "kubepi-local"),
        (SHARE | {"storage.default_class": "none"}, "", "kubepi-nfs"),
        (NO_SHARE | {"storage.default_class": "none"}, "", "kubepi-local"),
    ],
)
def test_the_classes_of_volumes_and_their_default(
    given: dict[str, str], default: str, of_ours: str
) -> None:
    all_settings = settings() | given
    addon = read_addon("local-path-provisioner")
    values = values_of(addon, all_settings)
    marks = {
        item["metadata"]["name"]: item["metadata"]["annotations"]
        for item in render(addon, values, {}) if item["kind"] == "StorageClass"
    }  # fmt: skip
    mark = "storageclass.kubernetes.io/is-default-class"
    names = ["kubepi-local", *(["kubepi-nfs"] if given["storage.nfs.server"] != "none" else [])]
    assert marks == {name: {mark: str(name == default).lower()} for name in names}
    assert default_class(all_settings) == default
    assert values["storage_class"] == of_ours


def test_the_provisioner_knows_each_class_that_there_is() -> None:
    config = json.loads(provisioner_config(settings() | SHARE))["storageClassConfigs"]
    assert config["kubepi-nfs"] == {"sharedFileSystemPath": "/mnt/kubepi"}
    paths = config["kubepi-local"]["nodePathMap"][0]["paths"]
    assert paths == ["/var/lib/kubepi-volumes"]
    config = json.loads(provisioner_config(settings() | NO_SHARE))
    assert list(config["storageClassConfigs"]) == ["kubepi-local"]


# --- what a folder may hold -------------------------------------------------------------------

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: default}
stringData:
  password: ${secret_admin_password}
  line: "user=admin password=${secret_admin_password} $${HOME}"
"""
LEAK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: login, namespace: default}
data:
  password: "${secret_admin_password}"
"""
WITH_SECRET = Addon("x", "an example", "1", secrets={"admin-password": "login"})


def test_no_secret_gets_anywhere_else_than_into_a_secret() -> None:
    values = values_of(WITH_SECRET, settings())
    secrets = {"admin-password": "the value of it"}
    (item,) = render(WITH_SECRET, values, secrets, [SECRET])
    assert "stringData" not in item
    hidden = hidden_texts([item])
    assert "the value of it" in hidden
    assert "user=admin password=the value of it ${HOME}" in hidden
    with pytest.raises(KubepiError, match="a secret is in a ConfigMap"):
        render(WITH_SECRET, values, secrets, [LEAK])


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {volumes: [{name: c, configMap: {name: config}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: default}
data: {text: "TEXT"}
"""


def test_pods_begin_anew_when_what_they_read_has_changed() -> None:
    plain = Addon("x", "an example", "1")
    stamps = [
        render(plain, {}, {}, [DEPLOYMENT.replace("TEXT", text)])[0]["spec"]["template"]["metadata"]
        for text in ("one", "two", "one")
    ]
    assert stamps[0] == stamps[2] != stamps[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"description": "x"}, {"description": "x", "version": 1, "imagse": []},
        {"description": "x", "version": 1, "ready": ["pod x/y"]},
        {"description": "x", "version": 1, "settings": {"a": {"default": 1}}}, None,
    ],
)  # fmt: skip
def test_an_addon_yaml_that_is_wrong_is_named(wrong: Any) -> None:
    with pytest.raises(KubepiError, match=r"manifests/x/addon\.yaml"):
        parse("x", wrong)
