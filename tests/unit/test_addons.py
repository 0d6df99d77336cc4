"""kubepi/addons.py: the folders of manifests/, and what counts as a difference to the API."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kubepi.addons import differs, identity, render
from kubepi.resources import manifest_names, read_text
from tests.addon_policy import values_of


@pytest.mark.parametrize(
    ("wanted", "found", "where"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 1, "status": {}}, None),
        ({"a": 1}, {"a": 2}, ".a"),
        ({"a": 1}, {}, ".a"),
        ({"a": {"b": {"c": "x"}}}, {"a": {"b": {"c": "y"}}}, ".a.b.c"),
        ({"a": {"b": 1}}, {"a": 1}, ".a"),
        ({"a": 1}, [], "object"),
        # what the API leaves out because it is empty
        ({"a": {}, "b": [], "c": "", "d": None}, {}, None),
        ({"a": []}, {"a": [1]}, ".a"),
        ({"a": {}}, {"a": {"b": 1}}, None),
        ({"a": False}, {}, ".a"),
        ({"a": 0}, {}, ".a"),
        # lists as a whole, item by item
        ({"a": [1, 2]}, {"a": [1, 2]}, None),
        ({"a": [1, 2]}, {"a": [2, 1]}, ".a[0]"),
        ({"a": [1]}, {"a": [1, 2]}, ".a"),
        ({"a": [1]}, {"a": {}}, ".a"),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "x", "default": 1}]}, None),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 3}]}, ".a[1].n"),
        ("x", "x", None),
        ("x", "y", ""),
    ],
)
def test_differs(wanted: Any, found: Any, where: str | None) -> None:
    assert differs(wanted, found) == where


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


def test_there_are_manifests() -> None:
    assert {"flannel", "access"} <= set(manifest_names())


@pytest.mark.parametrize("name", manifest_names())
def test_every_object_is_labelled_named_and_there_once(name: str) -> None:
    objects = render(name, values_of(name))
    assert objects
    for item in objects:
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "kubepi"
        assert labels["kubepi.io/addon"] == name
        assert item["apiVersion"]
    assert len({identity(item) for item in objects}) == len(objects)
    assert objects == render(name, values_of(name))


@pytest.mark.parametrize("name", manifest_names())
def test_nothing_is_left_to_fill_in_and_no_image_floats(name: str) -> None:
    text = yaml.safe_dump_all(render(name, values_of(name)))
    assert "${" not in text
    for image in images(render(name, values_of(name))):
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag not in ("", "latest"), f"{image} is another one tomorrow"


@pytest.mark.parametrize("name", manifest_names())
def test_the_images_of_addon_yaml_are_exactly_those_used(name: str) -> None:
    """The kit is made from that list."""
    about = yaml.safe_load(read_text(f"manifests/{name}/addon.yaml"))
    assert about["description"]
    assert about["version"]
    assert sorted(about["images"]) == sorted(set(images(render(name, values_of(name)))))


def test_namespaces_come_before_what_is_in_them() -> None:
    for name in manifest_names():
        there = {"", "kube-system", "default"}
        for item in render(name, values_of(name)):
            kind, namespace, own = identity(item)
            assert namespace in there
            there |= {own} if kind == "Namespace" else set()


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
def test_flannel_gets_the_subnet_and_the_backend(backend: str) -> None:
    objects = render("flannel", {"pod_subnet": "10.1.0.0/16", "backend": backend})
    config = next(item for item in objects if item["kind"] == "ConfigMap")
    net = yaml.safe_load(config["data"]["net-conf.json"])
    assert (net["Network"], net["Backend"]) == ("10.1.0.0/16", {"Type": backend})


def test_a_value_that_is_missing_is_a_bug() -> None:
    with pytest.raises(KeyError):
        render("flannel", {"backend": "vxlan"})
