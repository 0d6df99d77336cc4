"""An HTTP proxy for downloads: what each program that downloads has to be told of it; pure.

Only downloads go through it, never the cluster's own API. Tests: tests/unit/test_proxy.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# what no proxy can reach: this machine, and names that only the LAN knows
ALWAYS_DIRECT = ("localhost", "127.0.0.1", ".kubepi.internal", ".local")
HOST = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Proxy:
    """`url` like http://proxy:3128; `direct` are hosts, domains (.lan) and subnets around it."""

    url: str
    direct: tuple[str, ...] = ()

    @property
    def no_proxy(self) -> str:
        return ",".join((*ALWAYS_DIRECT, *self.direct))


def proxy_of(settings: Mapping[str, Any]) -> Proxy | None:
    url = settings["downloads.proxy"]
    return Proxy(url, tuple(settings["downloads.no_proxy"])) if url else None


def from_environment(environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The proxy that the caller's environment names, and what it names as direct."""
    names = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
    url = next((environ[name] for name in names if environ.get(name)), "")
    direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return url, [word for word in re.split(r"[,\s]+", direct) if word]


def environment(proxy: Proxy | None) -> dict[str, str]:
    """For a program written in Go (golang.org/x/net/http/httpproxy)."""
    if proxy is None:
        return {}
    return {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "NO_PROXY": proxy.no_proxy}


def apt_config(proxy: Proxy) -> str:
    """apt.conf(5), the Acquire group; DIRECT goes by host, subnets cannot be said."""
    hosts = [name for name in proxy.direct if HOST.fullmatch(name) and not name.startswith(".")]
    lines = []
    for scheme in ("http", "https"):
        lines.append(f'Acquire::{scheme}::Proxy "{proxy.url}";\n')
        lines += [f'Acquire::{scheme}::Proxy::{name} "DIRECT";\n' for name in hosts]
    return "# Written by kubepi (downloads.proxy).\n" + "".join(lines)


def unit_config(proxy: Proxy) -> str:
    """A drop-in for a service that downloads (systemd.exec(5), Environment=)."""
    values = "".join(f'Environment="{k}={v}"\n' for k, v in environment(proxy).items())
    return f"# Written by kubepi (downloads.proxy).\n[Service]\n{values}"
