"""What a setting of `downloads` may be; the checks are as those of values.py; pure.

Tests: tests/unit/test_config.py.
"""

import re
from typing import Any

from kubepi.decide.values import Wrong, quoted


def key_fingerprint(value: str) -> str:
    found = value.replace(" ", "").upper()
    if re.fullmatch("[0-9A-F]{40}", found):
        return found
    raise Wrong(
        f"{quoted(value)} is not the fingerprint of a key",
        "write its 40 hexadecimal digits, as gpg --show-keys prints them",
    )


def image_mirrors(value: dict[str, Any]) -> dict[str, str]:
    for registry, mirror in value.items():
        if not re.fullmatch(r"[a-z0-9.-]+(:[0-9]+)?", str(registry)):
            raise Wrong(f"{quoted(str(registry))} is not a registry", "write it like docker.io")
        if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\s\"]*)?", str(mirror)):
            raise Wrong(
                f"{quoted(str(mirror))} is not the address of a mirror",
                "write it like http://mirror:5000",
            )
    return {str(registry): str(mirror).rstrip("/") for registry, mirror in value.items()}


def http_proxy(value: str) -> str:
    if "@" in value:
        # never shown: it would go into files that everybody reads, and into the log
        raise Wrong("holds a user or a password", "use a proxy that knows this Pi by its address")
    if not re.fullmatch(r"http://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?", value):
        raise Wrong(
            f"{quoted(value)} is not the address of an HTTP proxy",
            "write it like http://proxy:3128, for https downloads too",
        )
    return value.rstrip("/")


def direct_host(value: str) -> str:
    if re.fullmatch(r"\.?[A-Za-z0-9.-]+(/[0-9]{1,2})?", value):
        return value
    raise Wrong(
        f"{quoted(value)} is neither a host nor a domain nor a subnet",
        "write it like nas.lan, .lan or 192.168.1.0/24",
    )
