"""kubepi/decide/proxy.py: what each program is told of a proxy."""

import pytest

from kubepi.decide.proxy import (
    Proxy,
    apt_config,
    environment,
    from_environment,
    proxy_of,
    unit_config,
)

PROXY = Proxy("http://proxy:3128", ("nas", ".lan", "192.168.1.0/24"))
NO_PROXY = "localhost,127.0.0.1,.kubepi.internal,.local,nas,.lan,192.168.1.0/24"


def test_a_program_in_go_gets_it_in_its_environment() -> None:
    assert environment(PROXY) == {
        "HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": NO_PROXY,
    }  # fmt: skip
    assert environment(None) == {}


def test_the_api_is_never_asked_through_it() -> None:
    assert ".kubepi.internal" in Proxy("http://proxy:3128").no_proxy.split(",")


def test_apt_is_told_of_hosts_alone() -> None:
    assert apt_config(PROXY).splitlines()[1:] == [
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::http::Proxy::nas "DIRECT";',
        'Acquire::https::Proxy "http://proxy:3128";',
        'Acquire::https::Proxy::nas "DIRECT";',
    ]


def test_a_unit_gets_a_line_for_each() -> None:
    assert unit_config(PROXY).splitlines()[1:] == [
        "[Service]",
        'Environment="HTTP_PROXY=http://proxy:3128"',
        'Environment="HTTPS_PROXY=http://proxy:3128"',
        f'Environment="NO_PROXY={NO_PROXY}"',
    ]


def test_settings() -> None:
    settings = {"downloads.proxy": "", "downloads.no_proxy": [".lan"]}
    assert proxy_of(settings) is None
    named = settings | {"downloads.proxy": "http://p:1"}
    assert proxy_of(named) == Proxy("http://p:1", (".lan",))


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("", [])),
        ({"http_proxy": "http://a:1"}, ("http://a:1", [])),
        ({"http_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, ("http://b:2", [])),
        ({"HTTP_PROXY": "http://a:1", "no_proxy": ".lan, 10.0.0.0/8"},
         ("http://a:1", [".lan", "10.0.0.0/8"])),
        ({"http_proxy": "", "NO_PROXY": "nas"}, ("", ["nas"])),
    ],
)  # fmt: skip
def test_the_environment(environ: dict[str, str], found: tuple[str, list[str]]) -> None:
    assert from_environment(environ) == found
