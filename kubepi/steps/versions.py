"""The Kubernetes version, chosen once and written down; and the repository it comes from.

May touch: the pinned version, one apt source and its key. Tests: tests/steps/test_versions.py.
"""

import re
from dataclasses import dataclass

from kubepi.decide import kit as kits
from kubepi.decide.openpgp import fingerprint
from kubepi.decide.settings import MINORS
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import wait_for_master
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit
from kubepi.machine.step import Finding
from kubepi.steps.apt import pinned_version, update
from kubepi.steps.files import File

NEWEST_FIRST = tuple(f"v{minor}" for minor in reversed(MINORS))
KEY_FILE = "/etc/apt/keyrings/kubepi-kubernetes.asc"
ATTEMPT = "repository"
SOURCE_FILE = "/etc/apt/sources.list.d/kubepi-kubernetes.list"
# "isv:kubernetes OBS Project": the key that signs pkgs.k8s.io (kubernetes/release issue 3818).
KEY_FINGERPRINT = "DE15B14486CD377B9E876E1A234654DA9A296436"


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
    result = host.probe(["apt-cache", "madison", "kubeadm"])
    found = re.findall(r"^\s*kubeadm \| (\d+\.\d+\.\d+)-", result.stdout, re.MULTILINE)
    return tuple(f"v{version}" for version in found)


@dataclass(frozen=True)
class KubernetesRepository:
    """The apt source of one minor, `signed-by` a key whose fingerprint is pinned here."""

    url: str
    wanted: str
    joining: bool = False
    key_fingerprint: str = KEY_FINGERPRINT

    @property
    def name(self) -> str:
        return "package repository of Kubernetes"

    def _source(self, minor: str) -> File:
        url = self.url.replace("{minor}", minor)
        return File(SOURCE_FILE, f"deb [signed-by={KEY_FILE}] {url} /\n")

    def check(self, host: Host) -> Finding | None:
        if state.attempted(host, ATTEMPT):
            return Finding("its lists were not fetched to the end")
        try:
            minor = pinned_version(host).rpartition(".")[0]
        except NotYet:
            there = host.exists(SOURCE_FILE) and host.exists(KEY_FILE)
            return None if there else Finding("is missing")
        return self._source(minor).check(host)

    def apply(self, host: Host) -> None:
        minor, key = self._find(host)
        state.keep_oldest(host, KEY_FILE)
        state.begin_attempt(host, ATTEMPT)
        host.write(KEY_FILE, key)
        self._source(minor).apply(host)
        update(host)
        state.end_attempt(host, ATTEMPT)

    def _find(self, host: Host) -> tuple[str, str]:
        """The newest minor that fits and whose key the repository answers with."""
        import requests

        wanted = wait_for_master(host, 120).kubernetes if self.joining else self.wanted
        fitting = [
            minor
            for minor in NEWEST_FIRST
            if wanted == "newest" or f"v{wanted.lstrip('v')}.".startswith(f"{minor}.")
        ]
        said = "nothing fits"
        for minor in fitting:
            url = self.url.replace("{minor}", minor) + "Release.key"
            try:
                answer = requests.get(url, timeout=30)
            except requests.RequestException as error:
                said = f"{url}: {type(error).__name__}"
                continue
            if answer.status_code == 200:
                found = fingerprint(answer.text)
                if found != self.key_fingerprint:
                    raise StepFailed(
                        f"{url} answered with another key ({found or 'none at all'})",
                        "check the address, the proxy and the date; nothing was changed",
                    )
                return minor, answer.text
            said = f"{url} answered {answer.status_code}"
        raise StepFailed(
            f"no package repository of Kubernetes {wanted} can be reached: {said}",
            "check the internet connection, or use an offline kit with --kit DIR",
        )
