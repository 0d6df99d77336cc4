"""decide/address.py: addresses in certificates, manifests and the hosts file."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.address import (
    NAMED_IN,
    Addresses,
    certificate_addresses,
    named_address,
    readdressed,
)
from tests.address_programs import FILES, OLD
from tests.certs import certificate

CRITICAL = bytes.fromhex("0101ff")


@pytest.mark.parametrize("critical", [b"", CRITICAL], ids=["plain", "critical"])
def test_addresses_of_a_certificate(critical: bytes) -> None:
    text = certificate(addresses=("10.96.0.1", OLD), critical=critical)
    assert certificate_addresses(text) == {"10.96.0.1", OLD}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_addresses_of_a_certificate_that_openssl_made(tmp_path: Path) -> None:
    names = "subjectAltName=critical,DNS:pi1,IP:10.96.0.1,IP:192.168.1.20,IP:fd00::1"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", "/dev/null", "-subj", "/CN=pi1", "-addext", names],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert certificate_addresses(made.stdout) == {"10.96.0.1", "192.168.1.20"}


@given(st.binary(max_size=80), st.integers(0, 200))
def test_what_is_no_certificate_has_none(noise: bytes, cut: int) -> None:
    text = certificate(addresses=[OLD])
    assert certificate_addresses(text[:cut]) <= {OLD}
    assert certificate_addresses(noise.decode(errors="replace")) == set()


@pytest.mark.parametrize("name", NAMED_IN)
def test_the_old_address_is_found_and_replaced(name: str) -> None:
    text = FILES[name]
    is_there = name != "/etc/kubernetes/kubelet.conf"  # that has the API's name
    assert named_address(name, text) == (OLD if is_there else None)
    assert named_address(name, readdressed(text, OLD, "10.0.0.77")) == (
        "10.0.0.77" if is_there else None
    )


def test_the_machine_itself_is_no_old_address() -> None:
    name = "/etc/kubernetes/scheduler.conf"
    assert named_address(name, "server: https://127.0.0.1:6443") is None


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a 10.0.0.5:1", "a 10.0.0.9:1"),
        ("110.0.0.5", "110.0.0.5"),
        ("10.0.0.55", "10.0.0.55"),
        ("10.0.0.5.1", "10.0.0.5.1"),
        ("https://10.0.0.5,10.0.0.5", "https://10.0.0.9,10.0.0.9"),
    ],
)
def test_only_the_whole_address_is_replaced(text: str, after: str) -> None:
    assert readdressed(text, "10.0.0.5", "10.0.0.9") == after


def test_both_addresses_are_noted_in_a_line() -> None:
    assert str(Addresses("10.0.0.3", "10.0.0.2")) == "10.0.0.3 10.0.0.2"
