"""Add-ons in a real cluster: what the API takes, installed, found right again, and gone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kitaddons import with_volumes
from kitgo import NotReady
from labclone import this_clone
from labnodes import find_kit
from pis import FILE, KIT, REPOSITORY, Pis, wait_for

from kubepi.addons import read_addon, render
from kubepi.cluster.objects import list_of
from kubepi.decide.addons import values_of
from kubepi.resources import manifest_names

pytestmark = pytest.mark.lab
PORT = 30088
# what a removal has to have ended, of every kind that the API knows; its own book-keeping is not
LEFT = (
    "kubectl api-resources --verbs=list -o name | grep -v -e '^events' -e '^metrics' "
    "| paste -sd, | xargs -I KINDS kubectl get KINDS -A -o name --ignore-not-found "
    "-l kubepi.io/addon={name}"
)
# as `kubepi` names what it did not have to do
NOTHING = "already; nothing was changed"


@pytest.fixture(scope="module")
def pis() -> Iterator[Pis]:
    """A cluster of one, whose kit has all images of the add-ons tried here."""
    kit = find_kit(this_clone(), None)
    assert kit is not None
    try:
        whole = with_volumes(Path(kit))
    except NotReady as error:
        pytest.skip(f"no image of local-path-provisioner: {error.sentence}")
    subprocess.run([sys.executable, str(REPOSITORY / "build_zipapp.py")], check=True)
    pis = Pis()
    pis.up(1, "--kit", str(whole))
    pis.push(REPOSITORY / "kubepi.pyz")
    done = pis.kubepi("pi1", "init", "--kit", KIT)
    assert done.returncode == 0, done.stderr
    yield pis
    pis.down()


def kubepi(pis: Pis, *words: str) -> subprocess.CompletedProcess[str]:
    done = pis.run("pi1", "kubepi", *words)
    assert done.returncode == 0, done.stderr
    return done


def settings(pis: Pis) -> dict[str, object]:
    goal = json.loads(pis.ask("pi1", "cat", "/var/lib/kubepi/goal.json"))
    found: dict[str, object] = goal["settings"]
    return found


@pytest.mark.parametrize("name", manifest_names())
def test_the_api_takes_every_field_of_an_add_on(pis: Pis, name: str) -> None:
    """A namespace that is not there yet is made for the moment of the question."""
    addon = read_addon(name)
    values = values_of(addon, settings(pis)) | {"backend": "vxlan"}
    objects = render(addon, values, dict.fromkeys(addon.secrets, "a-secret-of-the-lab"))
    own = [item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"]
    made = [one for one in own if pis.run("pi1", "kubectl", "create", "ns", one).returncode == 0]
    try:
        done = pis.run(
            "pi1", "kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict",
            "--field-manager=kubepi", "--force-conflicts", "-f", "-", stdin=list_of(objects),
        )  # fmt: skip
    finally:
        for namespace in made:
            pis.ask("pi1", "kubectl", "delete", "namespace", namespace)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


def test_metrics_server_from_nothing_to_nothing(pis: Pis) -> None:
    done = kubepi(pis, "addon", "install", "metrics-server")
    assert "metrics-server v0.9.0 is installed and ready." in done.stdout
    assert NOTHING in kubepi(pis, "addon", "install", "metrics-server").stdout
    assert "nothing was changed" in kubepi(pis, "init").stdout
    top = wait_for("kubectl top", lambda: used(pis), 90)
    assert "pi1" in top
    (row,) = [row for row in json.loads(kubepi(pis, "addon", "list", "--json").stdout)
              if row["name"] == "metrics-server"]  # fmt: skip
    assert (row["installed"], row["wanted"], row["ready"]) == (True, True, True)
    kubepi(pis, "addon", "remove", "metrics-server")
    assert left_of(pis, "metrics-server") == ""
    assert "nothing was changed" in kubepi(pis, "addon", "remove", "metrics-server").stdout
    assert kubepi(pis, "status").returncode == 0


def used(pis: Pis) -> str | None:
    done = pis.run("pi1", "kubectl", "top", "nodes", "--no-headers")
    return done.stdout if done.returncode == 0 else None


def left_of(pis: Pis, name: str) -> str:
    return pis.ask("pi1", "sh", "-c", LEFT.format(name=name)).strip()


def test_the_demo_counts_on_when_its_pods_and_then_it_itself_went(pis: Pis) -> None:
    """Its claim is kept by a removal that says so, and taken up by the next install."""
    kubepi(pis, "addon", "install", "hello")
    assert [visitor(pis) for _ in range(3)] == [1, 2, 3]
    first = pods(pis)
    pis.ask("pi1", "kubectl", "-n", "hello", "delete", "pods", "--all", "--wait=true")
    assert visitor(pis) == 4
    assert not first & pods(pis)
    assert NOTHING in kubepi(pis, "addon", "install", "hello").stdout
    refused = pis.run("pi1", "kubepi", "addon", "remove", "hello")
    assert refused.returncode == 2
    assert "hello has data in hello/counter; nothing was changed" in refused.stderr
    kubepi(pis, "addon", "remove", "hello", "--keep-data")
    assert left_of(pis, "hello") == ""
    claims = pis.ask("pi1", "kubectl", "get", "pvc", "-A", "-o", "name", "-l",
                     "kubepi.io/kept-of=hello")  # fmt: skip
    assert claims.split() == ["persistentvolumeclaim/counter"]
    kubepi(pis, "addon", "install", "hello")
    assert visitor(pis) == 5


def visitor(pis: Pis) -> int:
    """The number that the page says, from outside."""

    def asked() -> int | None:
        url = f"http://{pis.addresses['pi1']}:{PORT}/"
        argv = ["curl", "--silent", "--max-time", "5", url]
        words = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
        return int(words[2].rstrip("!")) if words[:2] == ["hello,", "visitor"] else None

    return wait_for("the demo's page", asked, 90)


def pods(pis: Pis) -> set[str]:
    return set(pis.ask("pi1", "kubectl", "-n", "hello", "get", "pods", "-o", "name").split())


def test_the_demo_and_its_volumes_leave_nothing(pis: Pis) -> None:
    needed = pis.run("pi1", "kubepi", "addon", "remove", "local-path-provisioner")
    assert needed.returncode == 2
    assert "is needed by hello" in needed.stderr
    kubepi(pis, "addon", "remove", "hello", "--yes")
    assert pis.ask("pi1", "kubectl", "get", "pv", "-o", "name").strip() == ""
    left = pis.ask("pi1", "find", "/var/lib/kubepi-volumes", "-mindepth", "2")
    assert left.strip() == ""
    for name in ("local-path-provisioner", "metrics-server"):
        kubepi(pis, "addon", "remove", name)
    for name in ("hello", "local-path-provisioner", "metrics-server"):
        assert left_of(pis, name) == ""
    namespaces = pis.ask("pi1", "kubectl", "get", "namespaces", "-o", "name").split()
    assert {"namespace/hello", "namespace/kubepi-storage"} & set(namespaces) == set()


def test_a_wrong_name_or_image_changes_nothing(pis: Pis) -> None:
    before = pis.ask("pi1", "cat", "/var/lib/kubepi/goal.json")
    wrong = pis.run("pi1", "kubepi", "addon", "install", "metrics-sever")
    assert wrong.returncode == 2
    assert "did you mean metrics-server?" in wrong.stderr
    assert pis.ask("pi1", "cat", "/var/lib/kubepi/goal.json") == before
    bundle = yaml.safe_load(pis.ask("pi1", "cat", f"{KIT}/bundle.yaml"))
    held = {name for file in bundle["images"] for name in file["references"]}
    for name in manifest_names():
        addon = read_addon(name)
        if not addon.always and not set(addon.images) <= held:
            lacking = pis.run("pi1", "kubepi", "addon", "install", name)
            # a container's kernel has no NFS
            told = "this cluster has no share" if addon.needs_share else "the kit has no image"
            assert told in lacking.stderr, lacking.stderr
    assert pis.ask("pi1", "cat", "/var/lib/kubepi/goal.json") == before
    assert pis.run("pi1", "test", "-e", FILE).returncode == 0
