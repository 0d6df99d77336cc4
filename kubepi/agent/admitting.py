"""What a master does before another Pi joins as a further master: etcd cleared, certificates.

kubeadm keeps the uploaded certificates for two hours only, so they are uploaded when a trusted
node asks for it. Masters are taken one by one: etcd has one learner at a time.
May touch: the list of etcd's members, the Secret kubeadm-certs, the answer in the advert.
Tests: tests/unit/test_admitting.py, tests/lab/test_masters.py.
"""

from kubepi.cluster import etcd
from kubepi.decide.adverts import Advert
from kubepi.decide.credentials import certificate_key
from kubepi.decide.goal import TOKEN
from kubepi.decide.kubeadm_config import upload_documents
from kubepi.decide.peerbook import Book
from kubepi.decide.quorum import may_leave
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.apt import pinned_version
from kubepi.steps.kubeadm import run_with_config

CONFIG = f"{state.RUN}/upload-certs.yaml"


def admit(host: Host, number: str, asker: Advert, book: Book) -> None:
    """Make ready for `asker`, and say so in the advert by the number of its wish.

    Raises:
        NotYet: another one joins at the moment, or etcd does not answer.
        StepFailed: it is a voting member of an etcd that cannot do without it.
    """
    goal = state.load_goal(host)
    if goal is None or goal.role != "master" or not host.exists(state.WAS_MASTER):
        return
    _clear(host, asker, book)
    key = certificate_key(state.need_secret(host, TOKEN))
    host.log.hide(key)
    documents = upload_documents(pinned_version(host), goal.api_name, key)
    run_with_config(
        host, documents, "init", "phase", "upload-certs", "--upload-certs",
        "--skip-certificate-key-print", file=CONFIG,
    )  # fmt: skip
    host.write(state.ANSWER, f"{number}\n")
    host.log.tell(f"agent: {asker.node} may join as a master: the certificates are uploaded")


def _clear(host: Host, asker: Advert, book: Book) -> None:
    """A member that a cut left behind goes: the asker comes with an empty disk."""
    members = etcd.asked_members(host)
    now = host.monotonic()
    joining = {
        peer.advert.address
        for peer in book.values()
        if peer.trusted and peer.advert.state == "joining" and not peer.is_silent(now)
    }
    for member in members:
        is_theirs = member.name == asker.node or member.address == asker.address
        if not is_theirs and not member.is_learner:
            continue
        if not is_theirs and member.address in joining:
            raise NotYet(f"{member.label}, which becomes a member of etcd at the moment")
        if not member.is_learner and not may_leave(members, {member.name}):
            raise StepFailed(f"etcd cannot do without its member {member.label}")
        host.log.tell(f"agent: takes the member {member.label} out of etcd: it begins anew")
        etcd.remove(host, member)
