"""Where a node's address is written, and how it is read and replaced there; pure.

Manifests and credentials: as kubeadm 1.35 and 1.36 write them. Certificates: RFC 5280, 4.2.1.6.
Tests: tests/unit/test_address.py.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from kubepi.decide.der import SEQUENCE, fields, tlv

KUBERNETES = "/etc/kubernetes"
MANIFESTS = f"{KUBERNETES}/manifests"
API_SERVER = f"{MANIFESTS}/kube-apiserver.yaml"
SERVER = r"server: https://([0-9.]+):"
# Each file of a control plane that names its own address, and where. kubeadm has the credentials
# of what runs on a master lead to the API server there, not to the API's name.
NAMED_IN = {
    f"{KUBERNETES}/controller-manager.conf": SERVER,
    f"{KUBERNETES}/scheduler.conf": SERVER,
    f"{KUBERNETES}/kubelet.conf": SERVER,
    f"{MANIFESTS}/etcd.yaml": r"--initial-advertise-peer-urls=https://([0-9.]+):",
    API_SERVER: r"--advertise-address=([0-9.]+)",
}
# Certificates that are only good for the address in them, below kubeadm's folder for them.
CERTIFICATES = ("apiserver", "etcd/server", "etcd/peer")
ALT_NAMES = bytes.fromhex("0603551d11")  # the OID 2.5.29.17
BOOLEAN, OCTETS, IP_ADDRESS = 0x01, 0x04, 0x87


@dataclass(frozen=True)
class Addresses:
    """Where this node is, and where the API's name leads it."""

    own: str
    api: str

    def __str__(self) -> str:
        return f"{self.own} {self.api}"


def named_address(name: str, text: str) -> str | None:
    """The address that a file of NAMED_IN names; None for a name or the machine itself."""
    found = re.search(NAMED_IN[name], text)
    return None if found is None or found[1].startswith("127.") else found[1]


def readdressed(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![0-9.]){re.escape(old)}(?![0-9.])", new, text)


def certificate_addresses(pem: str) -> set[str]:
    """IPv4 addresses that a certificate is good for; none for what is no certificate."""
    found = fields(pem)
    if found is None:
        return set()
    der = found.extensions
    try:
        position = der.index(ALT_NAMES) + len(ALT_NAMES)
        if der[position : position + 1] == bytes([BOOLEAN]):  # whether it is critical
            position = tlv(der, position)[1]
        names, _ = tlv(der, position, OCTETS)
        start, end = tlv(der, names, SEQUENCE)
        return _addresses(der, start, end)
    except ValueError:
        return set()


def _addresses(der: bytes, start: int, end: int) -> set[str]:
    found = set()
    while start < end:
        content, after = tlv(der, start)
        if der[start] == IP_ADDRESS and after - content == 4:
            found.add(str(IPv4Address(der[content:after])))
        start = after
    return found
