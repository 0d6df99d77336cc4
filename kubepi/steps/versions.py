"""The Kubernetes version: the newest that is offered, chosen once and written down.

May touch: the pinned version. Tests: tests/steps/test_versions.py.
"""

import re
from dataclasses import dataclass

from kubepi.decide import kit as kits
from kubepi.decide.values import MINORS
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import wait_for_master
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version

MADISON_SECONDS = 600.0
NEWEST_FIRST = tuple(f"v{minor}" for minor in reversed(MINORS))


@dataclass(frozen=True)
class VersionPinned:
    """`wanted` is newest, a minor (1.36) or a version (v1.36.3); a joiner takes the master's."""

    wanted: str
    kit: str = ""
    joining: bool = False

    @property
    def name(self) -> str:
        return "Kubernetes version"

    def check(self, host: Host) -> Finding | None:
        try:
            pinned_version(host)
        except NotYet:
            return Finding("is not chosen yet")
        return None

    def apply(self, host: Host) -> None:
        wanted = wait_for_master(host, 120).kubernetes if self.joining else self.wanted
        if self.kit:
            versions: tuple[str, ...] = open_kit(host, self.kit).versions
            source = f"the kit {self.kit}"
        else:
            versions = _offered(host)
            source = "the package repository"
        chosen = kits.newest(versions, wanted)
        if chosen is None or chosen.rpartition(".")[0] not in NEWEST_FIRST:
            raise StepFailed(
                f"{source} has no Kubernetes {wanted} (it has {', '.join(versions) or 'none'})",
                "choose one of them with --kubernetes, or give another kit",
            )
        host.write(state.PINNED_VERSION, f"{chosen}\n", 0o644)


def _offered(host: Host) -> tuple[str, ...]:
    # after new lists it builds its cache first, minutes on a slow card
    result = host.probe(["apt-cache", "madison", "kubeadm"], timeout=MADISON_SECONDS)
    if not result.ok:
        raise host.failure(result, MADISON_SECONDS)
    found = re.findall(r"^\s*kubeadm \| (\d+\.\d+\.\d+)-", result.stdout, re.MULTILINE)
    return tuple(f"v{version}" for version in found)
