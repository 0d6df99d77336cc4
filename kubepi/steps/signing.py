"""Certificates of a master, signed anew by kubeadm with the authorities' keys; no API is asked.

May touch: /etc/kubernetes/pki, and a folder of its own while kubeadm makes credentials.
Tests: tests/steps/test_certificates.py, tests/steps/test_address.py, tests/lab.
"""

from typing import Any

from kubepi.decide.certificates import credentials
from kubepi.decide.goal import Goal
from kubepi.decide.kubeadm_config import Node, certificate_documents
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.certificates import PKI
from kubepi.machine.host import Host
from kubepi.steps.apt import pinned_version
from kubepi.steps.kubeadm import node_name, run_with_config
from kubepi.steps.names import own_address

MADE = f"{state.RUN}/kubeconfig"


def documents_for(host: Host, goal: Goal) -> list[dict[str, Any]]:
    """kubeadm's configuration for the address that this master has now."""
    node = Node(node_name(host), own_address(host, goal), (), can_lower_oom_score=True)
    return certificate_documents(goal.settings, node, pinned_version(host), goal.api_name)


def sign(host: Host, documents: list[dict[str, Any]], name: str) -> None:
    """The certificate `name` (`etcd/peer`) with a key of its own."""
    host.remove(f"{PKI}/{name}.crt")  # what is there kubeadm keeps, or trips over
    host.remove(f"{PKI}/{name}.key")
    run_with_config(host, documents, "init", "phase", "certs", name.replace("/", "-"))


def made_kubeconfig(host: Host, documents: list[dict[str, Any]], name: str) -> str:
    """`admin.conf` and the like with a new certificate; the one that is in use stays as it is."""
    host.remove_tree(MADE)
    host.mkdir(MADE, 0o700)
    try:
        words = ("init", "phase", "kubeconfig", name.removesuffix(".conf"))
        run_with_config(host, documents, *words, "--kubeconfig-dir", str(host.path(MADE)))
        text = host.read(f"{MADE}/{name}") or ""
    finally:
        host.remove_tree(MADE)
    if credentials(text) is None:
        raise StepFailed(f"kubeadm made a {name} without credentials in it", "kubepi doctor")
    return text
