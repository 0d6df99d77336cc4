"""The kubepi.yaml of a card, and what all cards of a cluster share; pure.

Tests: tests/unit/test_cardconfig.py.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from kubepi.decide.config import Config

ABOUT = "# written by `kubepi sdcard`; defaults.yaml in kubepi's README documents every setting\n"
SHARED = "# what all cards of this cluster share: whoever has this file can join the cluster\n"
OF_ONE_CARD = "node."


def own_settings(config: Config) -> dict[str, Any]:
    """What differs from the defaults, with the secrets, by dotted name."""
    return {name: (config.settings | dict(config.secrets))[name] for name in config.own}


def shared_text(settings: Mapping[str, Any]) -> str:
    """For the next cards: all but what only one card can have."""
    return SHARED + _yaml({n: v for n, v in settings.items() if not n.startswith(OF_ONE_CARD)})


def card_text(settings: Mapping[str, Any]) -> str:
    return ABOUT + _yaml(settings)


def wifi_key(name: str, password: str) -> str:
    """The 64 hexadecimal digits that WPA2 makes of a network's name and password (802.11i)."""
    return hashlib.pbkdf2_hmac("sha1", password.encode(), name.encode(), 4096, 32).hex()


def _yaml(settings: Mapping[str, Any]) -> str:
    """A line for each setting: every JSON value is one of YAML, whatever characters are in it."""
    tree: dict[str, Any] = {}
    for name, value in settings.items():
        *sections, key = name.split(".")
        below = tree
        for section in sections:
            below = below.setdefault(section, {})
        below[key] = json.dumps(value, ensure_ascii=False)
    return "\n".join([*_lines(tree), ""])


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, below in tree.items():
        if isinstance(below, str):
            yield f"{indent}{key}: {below}"
        else:
            yield f"{indent}{key}:"
            yield from _lines(below, f"{indent}  ")
