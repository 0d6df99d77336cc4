"""What all cards of a cluster share, and the kubepi.yaml of one of them; pure.

Tests: tests/unit/test_card.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubepi.decide.config import Layer, merge
from kubepi.errors import UsageError

ABOUT = "# written by `kubepi sdcard`; defaults.yaml in kubepi's README documents every setting\n"
SHARED = "# what all cards of this cluster share: whoever has this file can join the cluster\n"


@dataclass(frozen=True)
class Cluster:
    """`expect`: how many Pis there will be."""

    name: str
    token: str = field(repr=False)
    expect: int


def cluster_text(cluster: Cluster) -> str:
    return SHARED + _yaml({"cluster": _section(cluster)})


def read_cluster(text: str, file: str, defaults: str) -> Cluster:
    """What the first card wrote.

    Raises:
        ConfigError: it is no kubepi configuration; UsageError: it has no token.
    """
    config = merge(defaults, [Layer(file, text)], {}, ())
    if config.token is None:
        raise UsageError(
            f"{file} has no cluster.token", "name the file that the first card made, or another one"
        )
    name, expect = config.settings["cluster.name"], config.settings["cluster.expect"]
    return Cluster(name, config.token, expect)


def config_text(cluster: Cluster, name: str, country: str) -> str:
    sections: dict[str, Mapping[str, Any]] = {"cluster": _section(cluster)}
    if name:
        sections["node"] = {"name": name}
    if country:
        sections["wifi"] = {"country": country}
    return ABOUT + _yaml(sections)


def _section(cluster: Cluster) -> Mapping[str, Any]:
    return {"name": cluster.name, "token": cluster.token, "expect": cluster.expect}


def _yaml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Every value is one that `checked` let pass: a word, or in quotes."""
    lines = []
    for section, entries in sections.items():
        lines.append(f"{section}:")
        for name, value in entries.items():
            lines.append(f"  {name}: {value}" if isinstance(value, int) else f'  {name}: "{value}"')
    return "\n".join([*lines, ""])
