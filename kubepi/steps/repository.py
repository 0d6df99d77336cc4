"""The package repository of Kubernetes: its key, checked, its apt source and its lists.

May touch: one apt source, its key and its lists. Tests: tests/steps/test_repository.py.
"""

from dataclasses import dataclass

from kubepi.decide.download_faults import OTHER_SIDE, PORTAL, looks_like_a_page
from kubepi.decide.openpgp import fingerprint
from kubepi.decide.proxy import Proxy
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import wait_for_master
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.machine.web import fetch
from kubepi.steps.apt import apt_get, pinned_version
from kubepi.steps.files import File
from kubepi.steps.versions import NEWEST_FIRST

KEY_FILE = "/etc/apt/keyrings/kubepi-kubernetes.asc"
SOURCE_FILE = "/etc/apt/sources.list.d/kubepi-kubernetes.list"
ATTEMPT = "repository"
# "isv:kubernetes OBS Project": the key that signs pkgs.k8s.io (kubernetes/release issue 3818).
KEY_FINGERPRINT = "DE15B14486CD377B9E876E1A234654DA9A296436"
# A minor that is not there yet: OBS says 404, the CDN before it 403.
NOT_THERE = (403, 404)
# The lists of this source alone, and no silence about what could not be fetched.
OUR_LISTS = (
    "-o", f"Dir::Etc::sourcelist={SOURCE_FILE}",
    "-o", "Dir::Etc::sourceparts=-",
    "-o", "APT::Get::List-Cleanup=0",
    "-o", "APT::Update::Error-Mode=any",
)  # fmt: skip


@dataclass(frozen=True)
class KubernetesRepository:
    """The apt source of one minor, `signed-by` a key whose fingerprint is pinned here.

    It is that of the pinned version, or of `version`, which an upgrade goes to.
    """

    url: str
    wanted: str
    joining: bool = False
    key_fingerprint: str = KEY_FINGERPRINT
    proxy: Proxy | None = None
    version: str = ""

    @property
    def name(self) -> str:
        return " ".join(["package repository of Kubernetes", *self.version.split()])

    def _source(self, minor: str) -> File:
        url = self.url.replace("{minor}", minor)
        return File(SOURCE_FILE, f"deb [signed-by={KEY_FILE}] {url} /\n")

    def check(self, host: Host) -> Finding | None:
        if state.attempted(host, ATTEMPT):
            return Finding("its lists were not fetched to the end")
        try:
            minor = (self.version or pinned_version(host)).rpartition(".")[0]
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
        apt_get(host, "update", *OUR_LISTS)
        state.end_attempt(host, ATTEMPT)

    def _find(self, host: Host) -> tuple[str, str]:
        """The newest minor that fits and is there, and the key it is signed with."""
        wanted = self.version or self._wanted(host)
        said = "nothing fits"
        for minor in NEWEST_FIRST:
            if wanted != "newest" and not f"v{wanted.lstrip('v')}.".startswith(f"{minor}."):
                continue
            url = self.url.replace("{minor}", minor) + "Release.key"
            answer = fetch(url, self.proxy)
            if answer.status not in NOT_THERE:
                return minor, self._key(url, answer.status, answer.text)
            said = f"{url} answered {answer.status}"
        raise StepFailed(
            f"no package repository of Kubernetes {wanted} is there: {said}",
            "look at downloads.kubernetes_repository and kubernetes.version, or use an offline "
            "kit with --kit DIR",
        )

    def _wanted(self, host: Host) -> str:
        wanted = wait_for_master(host, 120).kubernetes if self.joining else self.wanted
        try:
            return pinned_version(host)
        except NotYet:
            host.log.line(f"no version is chosen yet, wanted is {wanted}")
            return wanted

    def _key(self, url: str, status: int, text: str) -> str:
        # an error's page is of the other side; 511 is what a portal should say (RFC 6585)
        if status not in (200, 511):
            raise StepFailed(f"{url} answered with an error ({status})", OTHER_SIDE)
        if status == 511 or looks_like_a_page(text):
            raise StepFailed(f"{url} answers with a web page instead of a key", PORTAL)
        found = fingerprint(text)
        if found != self.key_fingerprint:
            raise StepFailed(
                f"{url} answered with another key ({found or 'none at all'})",
                "check the address, the proxy and downloads.repository_key; nothing was changed",
            )
        return text
