"""An upgrade of Kubernetes on one node: to which version, and which cannot be reached; pure.

Kubernetes goes one minor at a time and has no way back (kubernetes.io, version skew policy).
Tests: tests/unit/test_upgrade.py.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kubepi.decide.kit import newest, version_key
from kubepi.decide.values import MINORS
from kubepi.errors import PreflightFailed

UPGRADING = "upgrading"  # state of an advert
FAILED = "failed: "  # begins the progress in it
OS = "os"
VERSION = re.compile(r"v\d+\.\d+\.\d+")
AGAIN = "sudo kubepi upgrade goes on"
# behind it comes the package's own script, in words of its own; dpkg's lib/dpkg/errors.c
DPKG = re.compile(r"^dpkg: error processing (?:package|archive) (?:\S*/)?([^\s:_]+)", re.MULTILINE)


@dataclass(frozen=True)
class Upgrade:
    """`version`: v1.36.3, or OS for the packages of Debian.

    `forced`: what blocks a drain is deleted, and ailing nodes are no reason. `configured`: kubeadm
    has done its part, or apt has new lists. `replaced`: the new kubelet was seen, and its node
    Ready. `over`: all that is left is the node's own plan.
    `failed`: why it stopped last. `backup`: the file that was made before, on a master.
    """

    version: str
    forced: bool = False
    configured: bool = False
    replaced: bool = False
    over: bool = False
    failed: str = ""
    backup: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def in_words(version: str) -> str:
    """For a sentence: `… is on its way`."""
    return "an upgrade of Debian's packages" if version == OS else f"an upgrade to {version}"


def cause(sentence: str, output: str) -> str:
    """In a line: what the program that failed complains of, or else the sentence about it.

    It has to fit into an advert: of dpkg's complaint the package is what matters.
    """
    package = DPKG.search(output)
    if package is not None:
        return f"dpkg fails at {package[1]}"
    found = re.search(r"^\s*(?:\[ERROR ([\w-]+)\]|error|E): (.+)$", output, re.MULTILINE)
    if found is None:
        return sentence.splitlines()[0].removesuffix(":")
    return f"{found[1]}: {found[2]}" if found[1] else found[2]


def minor_of(version: str) -> str:
    """`v1.36` of `v1.36.3`."""
    return version.rpartition(".")[0]


def next_minor(version: str) -> str:
    """`v1.36` of `v1.35.4`."""
    major, minor = version_key(version)[:2]
    return f"v{major}.{minor + 1}"


def refused(own: str, target: str) -> tuple[str, str] | None:
    """Why a node of the version `own` cannot become `target`, with what to do; None if it can."""
    before, after = version_key(own), version_key(target)
    if after < before:
        return (
            f"{target} is older than {own}, which is here: Kubernetes has no way back",
            "on a fresh card kubepi restore takes a backup that was made before",
        )
    if after[0] != before[0] or after[1] > before[1] + 1:
        return (
            f"from {own} to {target} a minor would be skipped, which Kubernetes does not allow",
            f"first: sudo kubepi upgrade {next_minor(own)}",
        )
    if minor_of(target).lstrip("v") not in MINORS:
        return (
            f"this kubepi does not know Kubernetes {minor_of(target)}",
            "sudo kubepi upgrade --self FILE takes a newer kubepi first",
        )
    return None


def choose(offered: Iterable[str], wanted: str, own: str) -> str:
    """The version to go to: the newest that fits `wanted` (newest, 1.36, v1.36.3) and is in reach.

    Raises:
        PreflightFailed: none of those offered is.
    """
    there = sorted({own, *offered}, key=version_key)
    found = newest([v for v in there if refused(own, v) is None], wanted)
    if found is not None:
        return found
    beyond = newest(there, wanted)
    why = None if beyond is None else refused(own, beyond)
    if why is None and VERSION.fullmatch(f"v{wanted.lstrip('v')}"):
        why = refused(own, f"v{wanted.lstrip('v')}")
    if why is not None:
        raise PreflightFailed(*why)
    raise PreflightFailed(
        f"there is no Kubernetes {wanted} to upgrade to (there is {', '.join(there)})",
        "choose one of them, give a newer kit with --kit DIR, or use the internet",
    )


def nodes_problem(
    versions: Mapping[str, str], ailing: Mapping[str, str], target: str
) -> tuple[str, str] | None:
    """What in the cluster is in the way: kubelets by node, and why some are not Ready."""
    if ailing:
        name, why = next(iter(sorted(ailing.items())))
        return f"{name} is not Ready: {why}", "kubepi doctor there; --force upgrades all the same"
    for name, version in sorted(versions.items()):
        if version_key(version) > version_key(target):
            return f"{name} is {version} already", f"sudo kubepi upgrade {version}"
        if version_key(target)[1] > version_key(version)[1] + 1:
            return f"{name} is still {version}", f"first there: sudo kubepi upgrade, on {name}"
    return None
