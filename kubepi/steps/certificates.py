"""What kubeadm signed for this master: valid, not about to end, and what its components run with.

Its certificates are for a year, its authorities for ten. Renewing needs the authority's key, which
a master has, and no API. May touch: /etc/kubernetes, the static pods, copies of admin.conf.
Tests: tests/steps/test_certificates.py, tests/lab/test_certificates.py.
"""

import hashlib
from dataclasses import dataclass, field

from kubepi.cluster import kubectl
from kubepi.decide.certificates import is_older_copy
from kubepi.decide.goal import Goal
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import certificates, state
from kubepi.machine.certificates import ATTEMPT, FOLDER, LEAVES, PKI
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.clock import ahead_of_peers
from kubepi.steps.kubeadm import run_with_config
from kubepi.steps.signing import documents_for, made_kubeconfig, sign
from kubepi.steps.static_pods import restart_control_plane

RENEWED = "renewed"  # what an attempt says when only the components are left to do


def refuse_wrong_clock(host: Host) -> None:
    """By a clock that is ahead every certificate has ended, and what it signs is of the future.

    Raises:
        StepFailed: the peers say another time.
    """
    if (told := ahead_of_peers(host)) is not None:
        raise StepFailed(
            f"this Pi's clock {told}: certificates are not renewed by it",
            "set the wrong one of the two clocks: sudo date --set '2027-01-31 12:00'",
        )


@dataclass(frozen=True)
class ControlPlaneCertificates:
    """All that kubeadm signed for this master, and its components running with them."""

    goal: Goal = field(repr=False)
    patience: float = 600.0

    @property
    def name(self) -> str:
        return "certificates of the control plane"

    def check(self, host: Host) -> Finding | None:
        if not host.exists(kubectl.ADMIN):
            raise NotYet(kubectl.ADMIN)
        if state.attempted(host, ATTEMPT):
            return Finding("an earlier renewal was interrupted")
        now, found = host.now(), certificates.control_plane(host)
        if unreadable := [name for name, one in found.items() if one is None]:
            return Finding(f"{unreadable[0]} cannot be read")
        due = {name: one for name, one in found.items() if one is not None and one.is_due(now)}
        if not due:
            return None
        first = min(due, key=lambda name: due[name].ends)
        return Finding(f"{first} {due[first].word(now)}")

    def apply(self, host: Host) -> None:
        if self.check(host) is None:
            return
        refuse_wrong_clock(host)
        if host.read(state.attempt_file(ATTEMPT)) != RENEWED:
            self._renew(host)
        restart_control_plane(host, _mark(host), self.patience)
        state.end_attempt(host, ATTEMPT)

    def _renew(self, host: Host) -> None:
        documents = documents_for(host, self.goal)
        # from here on certificates and keys may not fit each other until all is renewed
        state.begin_attempt(host, ATTEMPT)
        # one that is missing, or that a cut left empty: kubeadm renews only what it can read
        for name, found in certificates.control_plane(host).items():
            if found is None and name.startswith("pki/"):
                sign(host, documents, name.removeprefix("pki/").removesuffix(".crt"))
            elif found is None:
                # admin.conf is never away: without it this Pi would not know that it is a master
                text = made_kubeconfig(host, documents, name)
                host.write(f"{FOLDER}/{name}", text, 0o600)
        run_with_config(host, documents, "certs", "renew", "all")
        host.sync()
        # one that fails from here on is tried again without other certificates
        state.begin_attempt(host, ATTEMPT, RENEWED)


def _mark(host: Host) -> str:
    """Another one for other certificates; no secret."""
    texts = [host.read(f"{PKI}/{name}.crt") or "" for name in LEAVES]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class AdminKubeconfigRenewed:
    """A copy of the admin's credentials that has the older ones; what a user made of it stays."""

    home: str
    uid: int = 0
    gid: int = 0

    @property
    def name(self) -> str:
        return f"credentials in {self.path}"

    @property
    def path(self) -> str:
        return f"{self.home}/.kube/config"

    def check(self, host: Host) -> Finding | None:
        wanted, there = host.read(kubectl.ADMIN), host.read(self.path)
        if wanted is None:
            raise NotYet(kubectl.ADMIN)
        is_older = there is not None and is_older_copy(there, wanted)
        return Finding("are the older ones") if is_older else None

    def apply(self, host: Host) -> None:
        if self.check(host) is not None:
            content = host.read(kubectl.ADMIN) or ""
            host.write(self.path, content, 0o600, (self.uid, self.gid))
