"""cloud-init writes /etc/hosts anew at every boot, and kubepi's names are in it all the same."""

from pathlib import Path

from kubepi.steps.cloud_init import (
    CLOUD_CFG,
    TEMPLATE,
    CloudInitKeepsNames,
    CloudInitRestored,
    blocks,
)
from kubepi.steps.files import BlockAbsent, MarkedBlock
from kubepi.steps.identity import HOSTS, HostNamed
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

API = MarkedBlock(HOSTS, "names", ("192.168.1.20 home.kubepi.internal",))


def named(root: Path) -> FakePi:
    pi = pi_of("pi4b-trixie", root)
    HostNamed("pi-1").apply(pi)
    API.apply(pi)
    return pi


def cloud_init_boots(pi: FakePi) -> None:
    """With Imager's `manage_etc_hosts: true`: the template's text, its jinja filled in."""
    text = (pi.read(TEMPLATE) or "").partition("-#}\n")[2]
    filled = text.replace("{{fqdn}}", "raspberrypi").replace("{{hostname}}", "raspberrypi")
    pi.put(HOSTS, filled)


def test_names_survive_cloud_init(tmp_path: Path) -> None:
    pi = obeys(CloudInitKeepsNames(), named, tmp_path)
    assert pi.read(CLOUD_CFG.path) == "preserve_hostname: true\n"
    before = blocks(pi.read(HOSTS) or "")
    assert set(before) == {"own-name", "names"}
    cloud_init_boots(pi)
    assert blocks(pi.read(HOSTS) or "") == before
    assert HostNamed("pi-1").check(pi.read_only()) is None
    assert CloudInitKeepsNames().check(pi.read_only()) is None


def test_a_changed_block_is_found(tmp_path: Path) -> None:
    pi = named(tmp_path / "pi")
    CloudInitKeepsNames().apply(pi)
    MarkedBlock(HOSTS, "names", ("192.168.1.99 home.kubepi.internal",)).apply(pi)
    assert CloudInitKeepsNames().check(pi.read_only()) is not None
    CloudInitKeepsNames().apply(pi)
    assert "192.168.1.99" in (pi.read(TEMPLATE) or "")
    assert "192.168.1.20" not in (pi.read(TEMPLATE) or "")
    BlockAbsent(HOSTS, "names").apply(pi)
    CloudInitKeepsNames().apply(pi)
    assert set(blocks(pi.read(TEMPLATE) or "")) == {"own-name"}


def test_back_obeys_the_laws(tmp_path: Path) -> None:
    def kept(root: Path) -> FakePi:
        pi = named(root)
        CloudInitKeepsNames().apply(pi)
        return pi

    pi = obeys(CloudInitRestored(), kept, tmp_path)
    before = pi_of("pi4b-trixie", tmp_path / "before")
    assert pi.read(TEMPLATE) == before.read(TEMPLATE)
    assert not pi.exists(CLOUD_CFG.path)
    assert not pi.exists("/etc/cloud/cloud.cfg.d")


def test_without_a_template(tmp_path: Path) -> None:
    pi = named(tmp_path / "pi")
    pi.path(TEMPLATE).unlink()
    CloudInitKeepsNames().apply(pi)
    assert CloudInitKeepsNames().check(pi.read_only()) is None
    CloudInitRestored().apply(pi)
    assert CloudInitRestored().check(pi.read_only()) is None
    assert not pi.exists(TEMPLATE)


def test_half_a_block_is_no_block() -> None:
    assert blocks("# >>> kubepi names (kept by kubepi; edits here are lost)\n1.2.3.4 x\n") == {}
