"""kubepi/lan/sealing.py: a file on the share says nothing to who lacks the token."""

from pathlib import Path

import pytest

from kubepi.decide.credentials import depot_key
from kubepi.decide.goal import Secret
from kubepi.errors import KubepiError
from kubepi.lan.depot import own_key
from kubepi.lan.sealing import is_sealed, seal_file, unseal_file
from kubepi.machine import state
from tests.fakes import FakePi

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
TEXT = b"the keys of the cluster " * 9000


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    (tmp_path / "root").mkdir()
    pi = FakePi(tmp_path / "root")
    state.save_secret(pi, Secret("token"), TOKEN)
    pi.put("/plain", TEXT.decode())
    seal_file(pi, pi.path("/plain"), "/share/x.sealed")
    return pi


def test_what_was_sealed_opens_with_the_token_alone(pi: FakePi) -> None:
    file = pi.path("/share/x.sealed")
    assert is_sealed(file) and not is_sealed(pi.path("/plain"))
    assert b"keys" not in file.read_bytes()
    assert pi.mode("/share/x.sealed") == 0o600
    unseal_file(pi, own_key(pi), file, "/back")
    assert pi.read_bytes("/back") == TEXT
    with pytest.raises(KubepiError, match="of another token"):
        unseal_file(pi, depot_key("another"), file, "/other")
    assert not pi.exists("/other")


@pytest.mark.parametrize("cut", [17, 100, 70_000, -1])
def test_what_is_cut_off_is_refused(cut: int, pi: FakePi) -> None:
    file = pi.path("/share/x.sealed")
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(KubepiError, match="damaged"):
        unseal_file(pi, own_key(pi), file, "/back")
    assert not pi.exists("/back")


def test_a_file_that_is_not_there_is_said_to_be_missing(pi: FakePi) -> None:
    with pytest.raises(KubepiError, match="cannot read"):
        is_sealed(pi.path("/none"))
