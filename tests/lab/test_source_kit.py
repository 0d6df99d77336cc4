"""The kit from source: its recipe, what it is packed as, and, in the long form, its pins."""

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import kitdebian
import kitgo
import kitoci
import kitpack
import pytest
import yaml
from kitimages import BASE, Image
from kitparts import KUBERNETES, KUBERNETES_LIBRARIES, Part
from kitrecipe import ARCHITECTURES, recipe_for
from labrun import LabError

from kubepi.addons import addon_images
from kubepi.decide import kit
from kubepi.decide.containerd_config import pause_image

REPOSITORY = Path(__file__).parents[2]
RECIPE = recipe_for("arm64")
IMAGES = [image for _, images in RECIPE.archives for image in images]


def test_all_that_is_packed_is_built() -> None:
    built = {
        word
        for part in RECIPE.parts
        for package in (*part.packages, *part.own, part.copied)
        for word in [package.removesuffix("/v3").rpartition("/")[2]]
    }
    used = [name for deb in RECIPE.debs for name in deb.programs]
    used += [name for layer in RECIPE.layers for _, name in layer.programs]
    assert built - {""} == set(used)
    assert len(used) == len(set(used))
    layers = {BASE, *(layer.name for layer in RECIPE.layers)}
    assert {name for image in IMAGES for name in image.layers} == layers
    assert len({image.reference for image in IMAGES}) == len(IMAGES)


def test_the_recipe_has_what_kubepi_and_its_lab_ask_for() -> None:
    held = {image.reference for image in IMAGES}
    web = yaml.safe_load_all((REPOSITORY / "tests/lab/web.yaml").read_text())
    pods = [one["spec"]["template"]["spec"] for one in web if one["kind"] == "DaemonSet"]
    asked = {*addon_images("flannel", "hello"), pause_image(KUBERNETES)}
    asked |= {container["image"] for pod in pods for container in pod["containers"]}
    assert asked <= held


def test_each_recipe_has_a_folder_of_its_own() -> None:
    assert len({recipe_for(name).folder for name in ARCHITECTURES}) == len(ARCHITECTURES)
    assert recipe_for("arm64").folder == RECIPE.folder


def test_contents_are_read_back(tmp_path: Path) -> None:
    for folder in ("debs", "images"):
        (tmp_path / folder).mkdir()
    for deb in RECIPE.debs:
        (tmp_path / f"debs/{deb.name}_{deb.version}-1.1_arm64.deb").write_text(deb.name)
    (tmp_path / "debs/Packages").write_text("")
    for name, _ in RECIPE.archives:
        (tmp_path / f"images/{name}.tar").write_text(name)
    kitpack.write_contents(RECIPE, tmp_path)
    data = yaml.safe_load((tmp_path / "bundle.yaml").read_text())
    found = kit.parse(data, "bundle.yaml")
    assert (found.architecture, found.versions) == ("arm64", (KUBERNETES,))
    for file in (*found.packages, *found.images):
        assert hashlib.sha256((tmp_path / file.path).read_bytes()).hexdigest() == file.sha256
    assert all(found.deb(deb.name, KUBERNETES[1:]) is not None for deb in RECIPE.debs)
    names = [name for file in found.images_for(KUBERNETES) for name in file.references]
    assert names == [image.reference for image in IMAGES]
    assert data["index"]["file"] == "debs/Packages"


def packed(folder: Path, *images: Image) -> Path:
    """An archive of images whose layers are called below and above."""
    layers: dict[str, tuple[Path, str]] = {}
    (folder / "layers").mkdir(parents=True)
    for name in ("below", "above"):
        file = folder / "layers" / name
        file.write_text(f"{name}, compressed")
        layers[name] = (file, hashlib.sha256(name.encode()).hexdigest())
    kitoci.pack_archive(images, "arm64", layers, folder, folder / "some.tar")
    return folder / "some.tar"


def test_an_archive_names_its_images_and_holds_a_layer_once(tmp_path: Path) -> None:
    file = packed(
        tmp_path,
        Image("example.org/one:1", ("below",), "/one"),
        Image("example.org/two:1", ("below", "above"), command="two", user="65534"),
        Image("example.org/two:2", ("below", "above"), command="two", user="65534"),
    )
    with tarfile.open(file) as archive:
        content = {
            member.name: stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }

    def blob(entry: dict[str, Any]) -> bytes:
        digest = entry["digest"].removeprefix("sha256:")
        found = content[f"blobs/sha256/{digest}"]
        assert (hashlib.sha256(found).hexdigest(), len(found)) == (digest, entry["size"])
        return found

    assert json.loads(content["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    entries = json.loads(content["index.json"])["manifests"]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in entries] == [
        "example.org/one:1", "example.org/two:1", "example.org/two:2",
    ]  # fmt: skip
    assert {entry["platform"]["architecture"] for entry in entries} == {"arm64"}
    manifests = [json.loads(blob(entry)) for entry in entries]
    assert [[blob(layer) for layer in one["layers"]] for one in manifests[:2]] == [
        [b"below, compressed"], [b"below, compressed", b"above, compressed"],
    ]  # fmt: skip
    configs = [json.loads(blob(one["config"])) for one in manifests]
    assert len({entry["digest"] for entry in entries}) == 3, "two tags would be one image"
    assert [config["config"].get("Entrypoint") for config in configs] == [["/one"], None, None]
    assert (configs[1]["config"]["Cmd"], configs[1]["config"]["User"]) == (["two"], "65534")
    assert len(configs[1]["rootfs"]["diff_ids"]) == 2
    assert len([name for name in content if name.startswith("blobs/")]) == 2 + 2 * 3


def test_an_archive_is_the_same_bytes_again(tmp_path: Path) -> None:
    image = Image("example.org/one:1", ("below", "above"))
    again = packed(tmp_path / "b", image)
    assert packed(tmp_path / "a", image).read_bytes() == again.read_bytes()


def test_control_file() -> None:
    kubelet = next(deb for deb in RECIPE.debs if deb.name == "kubelet")
    lines = kitpack.control_file(kubelet, "arm64", 84422).splitlines()
    assert lines[:3] == ["Package: kubelet", "Version: 1.36.3-1.1", "Architecture: arm64"]
    assert "Depends: iptables, kubernetes-cni (>= 1.2.0), mount, util-linux" in lines
    assert lines[-1].startswith(" ")


def test_libraries_of_kubernetes_get_their_published_version() -> None:
    go_mod = {
        "Require": [
            {"Path": "k8s.io/api", "Version": "v0.0.0"},
            {"Path": "k8s.io/utils", "Version": "v0.0.0-20260210185600-b8788abfbbc2"},
        ]
    }
    assert kitgo.replaced(go_mod) == [f"-replace=k8s.io/api=k8s.io/api@{KUBERNETES_LIBRARIES}"]


def test_imports_are_left_out_by_name() -> None:
    text = 'import (\n\t"os"\n\t_ "x.org/pkg/backend/udp"\n\t_ "x.org/pkg/backend/vxlan"\n)\n'
    assert kitgo.without_imports(text, ("pkg/backend/udp",)) == (
        'import (\n\t"os"\n\t_ "x.org/pkg/backend/vxlan"\n)\n'
    )
    with pytest.raises(LabError, match="pkg/backend/ipsec 0 times"):
        kitgo.without_imports(text, ("pkg/backend/ipsec",))


def test_applets_are_found_in_a_busybox() -> None:
    busybox = b"\x7fELF\0ash\0\xc2\xae [\0[[\0acpid\0ash\0base64\0zcat\0Usage\0Available\0"
    assert kitdebian.applets(busybox) == ["[", "[[", "acpid", "ash", "base64", "zcat"]
    with pytest.raises(LabError, match="no list of applets"):
        kitdebian.applets(b"\x7fELF\0sh\0")


def test_an_old_go_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(kitgo.NotReady, match=r"too old .*: go1\.19\.8"):
        kitgo.find_go()


@pytest.mark.long("recipe")
@pytest.mark.parametrize("part", RECIPE.parts, ids=lambda part: part.name)
def test_modules_can_be_had(part: Part, tmp_path: Path) -> None:
    """Needs Go and its module proxy."""
    go = kitgo.Go("arm64", tmp_path / "log")
    libraries = [f"k8s.io/{name}@{KUBERNETES_LIBRARIES}" for name in ("api", "kubelet", "kubectl")]
    wanted = [*part.requires, *(libraries if part.name == "kubernetes" else ())]
    (tmp_path / "go.mod").write_text(kitgo.GO_MOD.read_text())
    for module in wanted:
        found = go.ask(tmp_path, "list", "-m", "-json", module)
        assert f"{found['Path']}@{found['Version']}" == module


@pytest.mark.long("recipe")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_debian_packages_can_be_had(architecture: str, tmp_path: Path) -> None:
    """Needs a Debian mirror; from nothing, with all that they depend on."""
    recipe = recipe_for(architecture)
    debs = kitdebian.download(recipe, tmp_path, tmp_path / "log")
    names = {file.name.partition("_")[0] for file in debs}
    assert {*recipe.packages, "libc6", "libxtables12"} <= names
    architectures = {
        subprocess.check_output(["dpkg-deb", "--field", str(file), "Architecture"], text=True)
        for file in debs
    }
    assert architectures <= {f"{architecture}\n", "all\n"}
