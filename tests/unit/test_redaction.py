"""kubepi/decide/redaction.py: what has the shape of a secret goes, the rest stays readable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.redaction import redact, words_of
from kubepi.log import HIDDEN

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\ndef+/=\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "a private key": (f"key:\n{KEY}\nend", "MIIEabc"),
    "one that is cut off": ("-----BEGIN PRIVATE KEY-----\nMIIEabc\ndef", "MIIEabc"),
    "a bootstrap token": ("join with abcdef.0123456789abcdef now", "0123456789abcdef"),
    "a service account's": ("Bearer eyJhbGciOiJSUzI1.eyJpc3MiOiJrdWJl.c2lnbmF0dXJl", "c2lnbmF0"),
    "a password's hash": ("pi:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o:1000", "X3DX6M94"),
    "a proxy's": ("http://anna:geheim77@proxy:3128/x", "geheim77"),
    "yaml": ("cluster:\n  token: 00108-1g818-60w40\n", "1g818"),
    "json": ('{"wifi.psk": "two words", "x": 1}', "two words"),
    "environment": ("KUBEPI_TOKEN=abc123", "abc123"),
    "yaml, of several words": ("wifi:\n  password: two words\n", "words"),
    "json in a text of json": (r'"{\"auths\":{\"password\":\"hunter22\"}}"', "hunter22"),
    "json with a quote in it": (r'{"password": "ab\"cdef"}', "cdef"),
    "a registry's": ('{"auth":"dXNlcjpwYXNz"}', "dXNlcjpwYXNz"),
    "a header": ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    "an option": ("tool --password hunter22 --x", "hunter22"),
    "camels": ("secretKey: hunter22, apiKey=hunter22", "hunter22"),
    "kubeadm's": ("certificateKey: 0123456789abcdef", "0123456789"),
    "one with an at": ("http://anna:p@ss77@proxy:3128/x", "ss77"),
    "kubeconfig": ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1"),
}


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_goes(what: str) -> None:
    text, secret = SECRETS[what]
    assert secret in text
    assert secret not in redact(text)
    assert HIDDEN in redact(text)


def test_what_is_around_it_stays() -> None:
    assert redact(f"before\n{KEY}\nafter") == f"before\n{HIDDEN}\nafter"
    assert redact('{"wifi.psk": "x y", "x": 1}') == f'{{"wifi.psk": "{HIDDEN}", "x": 1}}'
    assert redact("tool --token abc --token-file f") == f"tool --token {HIDDEN} --token-file f"
    assert redact("http://anna:b@proxy/x") == f"http://{HIDDEN}@proxy/x"


@pytest.mark.parametrize("text", [
    "pi2 10.0.0.2 ready v1.36.3", "sha256:0123456789abcdef0123456789abcdef", "kubepi 1.2.0",
    "waiting for the token of another node", "https://10.0.0.7:6443/readyz", "",
])  # fmt: skip
def test_what_is_none_stays(text: str) -> None:
    assert redact(text) == text


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(KEY[:50]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["token", "psk", "x"]), inner),
)


@given(TREES, st.sampled_from([None, 1]))
def test_json_stays_json(tree: object, indent: int | None) -> None:
    """Where a secret is no string it is no secret."""
    json.loads(redact(json.dumps({"password": "x", "tree": tree}, indent=indent)))


@given(st.text())
def test_twice_is_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_secret_file_is_known_by_its_parts() -> None:
    assert words_of("00108-1g818-60w40\n") == ["00108-1g818-60w40"]
    assert words_of(KEY) == []
    assert "canary-one" in words_of('{"before": "canary-one", "number": 2}')
