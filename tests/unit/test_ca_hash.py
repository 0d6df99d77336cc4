"""kubepi/decide/ca_hash.py against openssl: the pin that kubeadm join takes."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.ca_hash import ca_hash

# openssl req -x509 of an EC key, and what
# openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
# says of it.
PEM = """\
-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUforsRrWvlJveEOA8XMXpAnGurmgwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjExMTIxMzVaGA8yMTI2MTAy
ODExMjEzNVowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABAZKoGzdQGw3ziqnh8ZvCKZukbMLwFguTY5RQbf2IQF3Mrkx+Hmt
NT9IjO/qgiJv+xfeadl3MqjCkAz0Hqbao36jUzBRMB0GA1UdDgQWBBQRuNGi61oR
wwrdoLfYrz9FhqOGbzAfBgNVHSMEGDAWgBQRuNGi61oRwwrdoLfYrz9FhqOGbzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBsi2nVleV798PPraxO+
ycsqDOoFeVfI6IUQXj60SjTmAiEA8oMSNbxBeRd/Lxz0mhsQEzpsgDGzRWzYgdBo
9WJ4uug=
-----END CERTIFICATE-----
"""
PIN = "sha256:36b543677b6160c88f18f43773fa93e4ea7921c90771d71f877def7493e63993"
DER = base64.b64decode("".join(PEM.splitlines()[1:-1]))


def pem(der: bytes) -> str:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def test_a_certificate_of_openssl() -> None:
    assert ca_hash(PEM) == PIN


@pytest.mark.parametrize(
    "text",
    ["a comment\n" + PEM, PEM.replace("\n", "\r\n"), PEM.rstrip(), PEM + pem(b"0" * 40),
     "".join(f"  {line}\n" for line in PEM.splitlines())],
    ids=["text before", "CRLF", "no newline", "a second one", "indented"],
)  # fmt: skip
def test_the_first_certificate_counts_however_it_is_written(text: str) -> None:
    assert ca_hash(text) == PIN


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize(
    ("kind", "option"), [("EC", "ec_paramgen_curve:P-256"), ("RSA", "rsa_keygen_bits:2048")]
)
def test_the_pin_is_that_of_openssl(kind: str, option: str, tmp_path: Path) -> None:
    def openssl(*words: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["openssl", *words], input=stdin, capture_output=True, check=True, cwd=tmp_path
        ).stdout

    openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", "ca.key")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=kubernetes", "-out", "ca.crt")
    public = openssl("x509", "-pubkey", "-noout", "-in", "ca.crt")
    der = openssl("pkey", "-pubin", "-outform", "der", stdin=public)
    wanted = f"sha256:{hashlib.sha256(der).hexdigest()}"
    assert ca_hash((tmp_path / "ca.crt").read_text()) == wanted


def test_a_certificate_without_a_version_has_its_pin_too() -> None:
    """Version 1 is left out of the DER (X.509, DEFAULT v1)."""
    version = b"\xa0\x03\x02\x01\x02"
    assert DER.count(version) == 1
    shorter = bytearray(DER.replace(version, b""))
    for place in (2, 6):  # the lengths of the certificate and of what is signed in it
        length = int.from_bytes(DER[place : place + 2]) - len(version)
        shorter[place : place + 2] = length.to_bytes(2)
    assert ca_hash(pem(bytes(shorter))) == PIN


@pytest.mark.parametrize(
    "text",
    [
        "",
        PEM.replace("CERTIFICATE", "PUBLIC KEY"),
        PEM.partition("-----END")[0],
        PEM.replace("-----BEGIN CERTIFICATE-----", ""),
        PEM.replace("MII", "M*I"),
        PEM.replace("MIIB", "MII"),
        pem(b""),
        pem(DER[:40]),
    ],
    ids=["nothing", "another kind", "no end", "no begin", "no base64", "odd base64", "empty",
         "a beginning"],
)  # fmt: skip
def test_what_has_no_pin(text: str) -> None:
    assert ca_hash(text) == ""


@given(st.text(st.characters(max_codepoint=127), max_size=200), st.binary(max_size=300))
def test_garbage_never_raises(text: str, data: bytes) -> None:
    assert ca_hash(text) == ""
    assert len(ca_hash(pem(data))) in (0, len(PIN))
    assert len(ca_hash(PEM.replace("MII", text))) in (0, len(PIN))


@given(st.integers(0, DER.index(b"\x03\x42\x00\x04") - 1))
def test_the_beginning_of_a_certificate_never_raises(length: int) -> None:
    assert ca_hash(pem(DER[:length])) != PIN


def test_letters_that_are_no_ascii_never_raise() -> None:
    assert ca_hash(PEM.replace("MII", "MüI")) == ""


@pytest.mark.parametrize(
    "der", [bytes(20), DER[: DER.index(b"\x03\x42\x00\x04") + 20], b"\x30\x0e" + b"\x04\x00" * 7],
    ids=["zeros", "cut off in its key", "no certificate"],
)  # fmt: skip
def test_what_is_no_certificate_has_no_pin(der: bytes) -> None:
    assert ca_hash(pem(der)) == ""
