"""The certificate by which the API knows this node's kubelet.

A kubelet renews its own as long as it runs. One that was off until it ended exits at once, and
says that its bootstrap credentials are missing. A master then signs a new one with the
authority's key that it has, a worker gets one by a bootstrap token, as at its first join.
May touch: kubelet's credentials, kubelet.
Tests: tests/steps/test_kubelet_certificate.py, tests/lab/test_certificates.py.
"""

from dataclasses import dataclass, field

from kubepi.cluster import kubectl
from kubepi.decide.certificates import credentials
from kubepi.decide.credentials import bootstrap_token
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.kubeadm_config import bootstrap_kubeconfig
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import certificates, state
from kubepi.machine.certificates import CA_KEY, FOLDER, PKI
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.certificates import refuse_wrong_clock
from kubepi.steps.signing import documents_for, made_kubeconfig

BOOTSTRAP = f"{FOLDER}/bootstrap-kubelet.conf"


@dataclass(frozen=True)
class KubeletCertificate:
    """A certificate that has not ended, and no bootstrap credentials any more."""

    goal: Goal = field(repr=False)
    patience: float = 300.0

    @property
    def name(self) -> str:
        return "certificate of the kubelet"

    def check(self, host: Host) -> Finding | None:
        if not host.exists(kubectl.KUBELET):
            raise NotYet(kubectl.KUBELET)
        found = certificates.kubelet(host)
        if found is None:
            return Finding("is not there")
        if found.has_ended(host.now()):
            return Finding(found.word(host.now()))
        return Finding(f"{BOOTSTRAP} is left") if host.exists(BOOTSTRAP) else None

    def apply(self, host: Host) -> None:
        found = certificates.kubelet(host)
        if found is None or found.has_ended(host.now()):
            refuse_wrong_clock(host)
            if host.exists(CA_KEY):
                self._sign(host)
            else:
                self._ask_master(host)
        host.remove(BOOTSTRAP)

    def _sign(self, host: Host) -> None:
        """A master signs it itself: its API may not even start without its kubelet."""
        documents = documents_for(host, self.goal)
        pem = credentials(made_kubeconfig(host, documents, "kubelet.conf")) or ""
        # kubelet insists on a link to a file with a name of this form (client-go's FileStore)
        file = f"{certificates.KUBELET.removesuffix('current.pem')}{host.now():.0f}.pem"
        host.write(file, pem, 0o600)
        host.symlink(certificates.KUBELET, file)
        host.run(["systemctl", "restart", "kubelet"])

    def _ask_master(self, host: Host) -> None:
        """The way of a first join: this node says that it joins, a master's agent lets it."""
        token = bootstrap_token(state.need_secret(host, TOKEN))
        host.log.hide(token)
        authority = host.read(f"{PKI}/ca.crt") or ""
        text = bootstrap_kubeconfig(f"{self.goal.api_name}:6443", authority, token)
        host.write(BOOTSTRAP, text, 0o600)

        def let_in() -> str | None:
            said = kubectl.is_ready(host, BOOTSTRAP)
            if said is not None and "certificate has expired" in said:
                raise StepFailed(
                    "the certificates of the master have ended, too",
                    "run sudo kubepi doctor --fix there first, then here",
                )
            return said

        host.wait_until("the master to let this node in again", let_in, self.patience, 2.0)
        host.remove(certificates.KUBELET)
        host.run(["systemctl", "restart", "kubelet"])

        def signed() -> str | None:
            found = certificates.kubelet(host)
            return "it is not signed yet" if found is None else None

        host.wait_until("a certificate for the kubelet", signed, self.patience, 1.0)
