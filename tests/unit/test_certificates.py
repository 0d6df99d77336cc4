"""kubepi/decide/certificates.py: the dates of certificates, against openssl and as a table."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.certificates import (
    LAST_OF_CA,
    Certificate,
    credentials,
    is_older_copy,
    read_certificate,
)
from tests.certs import BEGINS, ENDS, KEY, YEAR, certificate, kubeconfig

HOUR = 3600.0
LATE = 2_600_000_000.0  # in 2052


def test_the_dates_are_read() -> None:
    assert read_certificate(certificate()) == Certificate(BEGINS, ENDS)
    assert read_certificate(certificate() + KEY) == Certificate(BEGINS, ENDS)


def test_a_year_from_2050_on_has_four_digits() -> None:
    assert read_certificate(certificate(BEGINS, LATE)) == Certificate(BEGINS, LATE)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
@pytest.mark.parametrize("days", [1, 365, 3650, 20_000])
def test_the_end_is_that_of_openssl(days: int, tmp_path: Path) -> None:
    def openssl(*words: str) -> str:
        return subprocess.run(
            ["openssl", *words], capture_output=True, check=True, cwd=tmp_path, text=True
        ).stdout

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "key", "-out", "crt", "-subj", "/CN=pi", "-days", str(days))  # fmt: skip
    found = read_certificate((tmp_path / "crt").read_text())
    assert found is not None
    assert found.ends - found.begins == days * 86400
    said = openssl("x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", "crt")
    assert said.strip().partition("=")[2][:16] in found.word(0).replace(" UTC", "Z")


@pytest.mark.parametrize(
    "pem", [None, "", "rubbish", certificate()[:100], certificate().replace("MF", "M*")]
)
def test_what_is_no_certificate_has_no_dates(pem: str | None) -> None:
    assert read_certificate(pem) is None


@given(st.integers(0, 400), st.binary(max_size=4))
def test_a_damaged_certificate_never_raises(place: int, damage: bytes) -> None:
    plain = base64.b64decode("".join(certificate().splitlines()[1:-1]))
    text = base64.encodebytes(plain[:place] + damage + plain[place + len(damage) :]).decode()
    read_certificate(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("life", "age", "is_due"),
    [
        (YEAR, 0.69 * YEAR, False), (YEAR, 0.7 * YEAR, True), (YEAR, 2 * YEAR, True),
        (HOUR, 0.5 * HOUR, False), (HOUR, 0.8 * HOUR, True), (YEAR, -HOUR, False),
    ],
)  # fmt: skip
def test_when_one_is_due(life: float, age: float, is_due: bool) -> None:
    assert Certificate(BEGINS, BEGINS + life).is_due(BEGINS + age) is is_due


def test_an_authority_is_due_in_its_last_tenth() -> None:
    authority = Certificate(BEGINS, BEGINS + 10 * YEAR)
    assert not authority.is_due(BEGINS + 8.9 * YEAR, LAST_OF_CA)
    assert authority.is_due(BEGINS + 9.1 * YEAR, LAST_OF_CA)


def test_the_word_says_when_and_whether_it_is_over() -> None:
    one = Certificate(0.0, 1_800_000_000.0)
    assert one.word(1_799_999_999.0) == "ends on 2027-01-15 08:00 UTC"
    assert one.word(1_800_000_000.0) == "ended on 2027-01-15 08:00 UTC"


def test_the_credentials_of_a_kubeconfig() -> None:
    assert credentials(kubeconfig("admin")) == certificate() + KEY


@pytest.mark.parametrize(
    "text", [None, "", "users: []", "client-certificate-data: AAAA\n", kubeconfig("a")[:-30]]
)
def test_a_kubeconfig_without_credentials(text: str | None) -> None:
    assert credentials(text) is None or read_certificate(credentials(text)) is None


def test_a_copy_is_older_if_only_its_credentials_differ() -> None:
    new, old = kubeconfig("admin", BEGINS + 1), kubeconfig("admin")
    assert is_older_copy(old, new)
    assert not is_older_copy(new, new)
    assert not is_older_copy(old.replace("admin", "ann"), new)
    assert not is_older_copy(old + "current-context: other\n", new)
