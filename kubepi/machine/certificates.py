"""The certificates of this node, read from their files; small enough for the agent.

A kubelet's serving certificate is not among them: it signs its own, and nobody checks it.
Tests: tests/steps/test_certificates.py, tests/unit/test_renewing.py.
"""

from kubepi.decide.certificates import LAST_OF_CA, Certificate, credentials, read_certificate
from kubepi.machine.host import Host

FOLDER = "/etc/kubernetes"
PKI = f"{FOLDER}/pki"
CA_KEY = f"{PKI}/ca.key"
AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
# kubeadm's constants.go: what `kubeadm certs renew all` renews
LEAVES = (
    "apiserver", "apiserver-kubelet-client", "front-proxy-client", "etcd/server", "etcd/peer",
    "etcd/healthcheck-client", "apiserver-etcd-client",
)  # fmt: skip
KUBECONFIGS = ("admin.conf", "controller-manager.conf", "scheduler.conf")
SUPER_ADMIN = "super-admin.conf"  # on the first master only
ATTEMPT = "certificates"  # the mark of a renewal that has begun (machine/state.py)
KUBELET = "/var/lib/kubelet/pki/kubelet-client-current.pem"


def kubeconfigs(host: Host) -> tuple[str, ...]:
    has_super = host.exists(f"{FOLDER}/{SUPER_ADMIN}")
    return (*KUBECONFIGS, *((SUPER_ADMIN,) if has_super else ()))


def control_plane(host: Host) -> dict[str, Certificate | None]:
    """By path below /etc/kubernetes; None where certificate or key is missing or cannot be read."""
    found: dict[str, Certificate | None] = {}
    for name in LEAVES:
        whole = "PRIVATE KEY-----" in (host.read(f"{PKI}/{name}.key") or "")
        found[f"pki/{name}.crt"] = (
            read_certificate(host.read(f"{PKI}/{name}.crt")) if whole else None
        )
    for name in kubeconfigs(host):
        found[name] = read_certificate(credentials(host.read(f"{FOLDER}/{name}")))
    return found


def kubelet(host: Host) -> Certificate | None:
    """Its client certificate, which it renews itself as long as it lives."""
    text = host.read(KUBELET)
    return read_certificate(text) if "PRIVATE KEY-----" in (text or "") else None


def first_to_end(host: Host) -> Certificate | None:
    """Of all that kubepi renews here; None on a node of no cluster."""
    leaves = control_plane(host).values() if host.exists(f"{FOLDER}/admin.conf") else ()
    readable = [one for one in (kubelet(host), *leaves) if one is not None]
    return min(readable, key=lambda one: one.ends, default=None)


def ending_authorities(host: Host) -> dict[str, Certificate]:
    """Certificate authorities in the last tenth of their ten years; nothing on a worker."""
    found = {}
    for name in AUTHORITIES:
        certificate = read_certificate(host.read(f"{PKI}/{name}.crt"))
        if certificate is not None and certificate.is_due(host.now(), LAST_OF_CA):
            found[f"pki/{name}.crt"] = certificate
    return found
