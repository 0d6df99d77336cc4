"""etcd's members, asked and changed by the etcdctl of the etcd that runs on this master.

Its image has no shell; the certificates are where kubeadm's manifest mounts them.
Tests: tests/steps/test_address.py.
"""

import json
from dataclasses import dataclass

from kubepi.cluster import containers
from kubepi.errors import NotYet
from kubepi.machine.host import Host, Result

PKI = "/etc/kubernetes/pki/etcd"
ETCDCTL = (
    "etcdctl", "--endpoints=https://127.0.0.1:2379", f"--cacert={PKI}/ca.crt",
    f"--cert={PKI}/healthcheck-client.crt", f"--key={PKI}/healthcheck-client.key",
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """`identity`: as etcdctl wants it, hexadecimal; `peer_urls`: where the others reach it."""

    identity: str
    name: str
    peer_urls: tuple[str, ...]


def members(host: Host) -> list[Member]:
    """Raises NotYet: no etcd answers here."""
    result = host.probe(_command(host, "member", "list", "--write-out=json"))
    if not result.ok:
        raise NotYet("etcd")
    return [
        Member(f"{row['ID']:x}", row.get("name", ""), tuple(row.get("peerURLs", ())))
        for row in json.loads(result.stdout)["members"]
    ]


def update(host: Host, member: Member, peer_url: str) -> Result:
    return host.run(_command(host, "member", "update", member.identity, f"--peer-urls={peer_url}"))


def remove(host: Host, member: Member) -> Result:
    return host.run(_command(host, "member", "remove", member.identity))


def _command(host: Host, *words: str) -> list[str]:
    found = containers.running(host, ["etcd"])
    if not found:
        raise NotYet("etcd")
    identity = f"kubepi-{host.random('etcdctl', 4).hex()}"
    exec_words = ("tasks", "exec", "--exec-id", identity, found[0])
    return [*containers.CTR, *exec_words, *ETCDCTL, *words]
