"""etcd's members, asked and changed by the etcdctl of the etcd that runs on this master.

By containerd and not by the API, which does not answer where etcd has no quorum. The image has no
shell; the certificates are where kubeadm's manifest mounts them.
Tests: tests/unit/test_etcd.py, tests/lab/test_masters.py.
"""

import json
from dataclasses import replace
from typing import Any

from kubepi.cluster import containers
from kubepi.decide.quorum import Member
from kubepi.errors import CommandFailed, NotYet
from kubepi.machine.host import Host

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
PKI = "/etc/kubernetes/pki/etcd"
ETCDCTL = (
    "etcdctl", "--endpoints=https://127.0.0.1:2379", f"--cacert={PKI}/ca.crt",
    f"--cert={PKI}/healthcheck-client.crt", f"--key={PKI}/healthcheck-client.key",
)  # fmt: skip
JSON = "--write-out=json"


def members(host: Host) -> list[Member]:
    """All members.

    Raises:
        NotYet: etcd does not run here, or has no quorum.
    """
    result = host.probe(_command(host, "member", "list", JSON))
    if not result.ok:
        raise NotYet("etcd")
    return [
        Member(
            f"{row['ID']:x}", row.get("name", ""), tuple(row.get("peerURLs", ())),
            bool(row.get("isLearner")), tuple(row.get("clientURLs", ())),
        )
        for row in json.loads(result.stdout)["members"]
    ]  # fmt: skip


def asked_members(host: Host) -> list[Member]:
    """As `members`, each asked whether it is alive. One that never started has no client URL."""
    found = members(host)
    # it fails where one of them is not well, and says of each how it is
    said = host.probe(_command(host, "endpoint", "health", "--cluster", JSON))
    healthy = {row.get("endpoint") for row in _rows(said.stdout) if row.get("health")}
    return [replace(member, alive=bool(healthy & {*member.client_urls})) for member in found]


def is_learner(host: Host) -> bool:
    """Whether the member on this node does not vote yet; False where none answers."""
    try:
        said = host.probe(_command(host, "endpoint", "status", JSON))
    except NotYet:
        return False
    return any(row.get("Status", {}).get("isLearner") for row in _rows(said.stdout))


def update(host: Host, member: Member, peer_url: str) -> None:
    """Where the others reach it. Raises as `remove`."""
    host.run(_command(host, "member", "update", member.identity, f"--peer-urls={peer_url}"))


def remove(host: Host, member: Member) -> None:
    """Take it out for good; one that is out already is fine.

    Raises:
        NotYet: etcd does not run here.
        CommandFailed: the rest would have no quorum, or there is none.
    """
    try:
        host.run(_command(host, "member", "remove", member.identity))
    except CommandFailed as error:
        if "member not found" not in error.output:
            raise


def forget_node(host: Host, node: str) -> bool:
    """Take the member of a node out; True if there was one. Raises as `remove`."""
    found = [member for member in members(host) if member.name == node]
    for member in found:
        remove(host, member)
    return bool(found)


def _command(host: Host, *words: str) -> list[str]:
    found = containers.running(host, ["etcd"])
    if not found:
        raise NotYet("etcd")
    identity = f"kubepi-{host.random('etcdctl', 4).hex()}"
    exec_words = ("tasks", "exec", "--exec-id", identity, found[0])
    return [*containers.CTR, *exec_words, *ETCDCTL, *words]


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []
