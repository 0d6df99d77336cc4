"""kubepi/steps/proxy.py: apt and containerd go through the proxy that is named, or through none."""

from pathlib import Path

from kubepi.decide.proxy import Proxy
from kubepi.machine import state
from kubepi.steps.proxy import APT_FILE, UNIT, UNIT_FILE, ProxySet
from tests.fakes import FakePi
from tests.scene import fresh_pi
from tests.steps.lawful import obeys

NAMED = ProxySet(Proxy("http://proxy:3128", ("nas", ".lan")))
NONE = ProxySet(None)


def with_proxy(folder: Path) -> FakePi:
    pi = fresh_pi(folder)
    NAMED.apply(pi)
    pi.fake_disk.make_all_durable()
    return pi


def test_a_proxy_obeys_the_laws_and_containerd_is_started_anew(tmp_path: Path) -> None:
    pi = obeys(NAMED, fresh_pi, tmp_path)
    assert 'Acquire::https::Proxy "http://proxy:3128";' in (pi.read(APT_FILE) or "")
    assert 'Environment="HTTPS_PROXY=http://proxy:3128"' in (pi.read(UNIT_FILE) or "")
    assert pi.exists(state.restart_flag(UNIT))


def test_none_obeys_the_laws_and_leaves_nothing(tmp_path: Path) -> None:
    pi = obeys(NONE, with_proxy, tmp_path)
    assert not pi.exists(APT_FILE)
    assert not pi.exists(str(Path(UNIT_FILE).parent))
    assert pi.exists(state.restart_flag(UNIT))


def test_without_a_proxy_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert NONE.check(fresh_pi(tmp_path / "pi").read_only()) is None
    assert (NONE.name, NAMED.name) == ("no proxy", "proxy http://proxy:3128")


def test_another_proxy_is_another_file(tmp_path: Path) -> None:
    pi = with_proxy(tmp_path / "pi")
    found = ProxySet(Proxy("http://other:80")).check(pi.read_only())
    assert str(found) == f"file {APT_FILE} has other content"
