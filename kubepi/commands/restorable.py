"""What is in the way of a restore: another role, another cluster, a master that lives, good data.

Tests: tests/unit/test_restore_command.py.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from kubepi.cluster import kubectl
from kubepi.decide.backup import BUSY, Manifest
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import TOKEN
from kubepi.decide.peerbook import Book, masters, others_like
from kubepi.errors import KubepiError, PreflightFailed
from kubepi.lan.peers import CA, read_peers
from kubepi.lan.rendezvous import listen_for
from kubepi.machine import etcd_data, state
from kubepi.machine.archive import read_files
from kubepi.machine.host import Host
from kubepi.steps.backups import CLUSTER_ID
from kubepi.steps.restoring import lives_here

TOKEN_FILE = state.secret_file(TOKEN)
LISTEN = 8.0  # seconds; an agent that is there answers the first question


def refuse(
    host: Host, manifest: Manifest, source: Path, force: bool, given: str | None = None
) -> None:
    """`given`: the token that came with the command, which the cluster may have by now.

    Raises:
        PreflightFailed: this Pi cannot be that master, or must not; nothing was changed.
    """
    goal = state.load_goal(host)
    is_here = lives_here(host, manifest)
    was_here = (host.read(state.NODE_ID) or "").strip() == manifest.node_id
    if goal is not None and goal.verb != "up" and not was_here:
        same = (host.read(CLUSTER_ID) or "").strip() == manifest.cluster_id
        whose = "this cluster" if same else f"the cluster {goal.settings['cluster.name']!r}"
        raise PreflightFailed(
            f"this Pi is a {goal.role} of {whose}; the backup is of {manifest.said}",
            f"restore it on {manifest.node} itself or on a fresh Pi, or run kubepi reset first",
        )
    if goal is None and host.exists(kubectl.KUBELET):
        raise PreflightFailed("this Pi is in a cluster that kubepi did not make", "kubeadm reset")
    if not is_here:
        _refuse_second_master(host, manifest, source, force, given)
    elif goal is not None and goal.role == "master":
        _refuse_beside_others(host, manifest, source, force)
        if not force:
            _refuse_good_data(host)


def _refuse_beside_others(host: Host, manifest: Manifest, source: Path, force: bool) -> None:
    """They have what is lost here, or half of an etcd that would be a second one."""
    book, now = read_peers(host), host.monotonic()
    there = {name: peer for name, peer in book.items() if not peer.is_silent(now)}
    if kubectl.is_ready(host) is None and masters(there.values()):
        names = ", ".join(peer.advert.node for peer in masters(there.values()))
        raise PreflightFailed(
            f"the cluster runs, and has other masters: {names}",
            "if its own etcd is damaged: sudo kubepi reset, then sudo kubepi join --role master",
        )
    refuse_heard(there, manifest, ca_hash(kept_in(source)[CA]), force)


def _refuse_good_data(host: Host) -> None:
    if kubectl.is_ready(host) is None:
        raise PreflightFailed(
            "the cluster runs: nothing has to be restored",
            "to give up all that was changed since the backup: --force",
        )
    if etcd_data.problem(host) is None and etcd_data.last_words(host) is None:
        raise PreflightFailed(
            "etcd's data looks whole: the cluster may only be off",
            "sudo kubepi doctor looks for the cause; --force restores the backup all the same",
        )


def _refuse_second_master(
    host: Host, manifest: Manifest, source: Path, force: bool, given: str | None
) -> None:
    """There must not be two: whoever has a living master adds one by join."""
    print(f"listening for {manifest.node} …", file=sys.stderr)
    kept = kept_in(source)
    keys = [advert_key(token) for token in tokens_of(host, kept, given)]
    seeds = [manifest.address] if manifest.address else []
    # its own id may be the one that is looked for: an agent that was replaced says nothing
    book = listen_for(host, keys, seeds, LISTEN, until_master=False, own_too=True)
    refuse_heard(book, manifest, ca_hash(kept[CA]), force)


def refuse_heard(book: Book, manifest: Manifest, ca: str, force: bool) -> None:
    """
    Raises:
        PreflightFailed: a master that can be the one of the backup, or one beside it, is heard.
    """
    for peer in masters(book.values()):
        advert = peer.advert
        raise PreflightFailed(
            f"a master of this cluster is heard: {advert.node} ({advert.address}); "
            "there must not be two",
            f"switch {advert.node} off, or run kubepi reset --force on it, then restore again",
        )
    for advert in [] if force else others_like(book, manifest, ca):
        raise PreflightFailed(
            f"a node of this cluster is heard with another token: {advert.node} "
            f"({advert.address}); there must not be two masters",
            "if the token was changed since the backup, give the new one by --token-file FILE; "
            "--force goes on if that one is known to be of another cluster",
        )


def tokens_of(host: Host, kept: Mapping[str, str], given: str | None) -> list[str]:
    """All that the cluster may have now: the backup may be of before a change of it."""
    own = state.read_secret(host, TOKEN)
    found = [token for token in (kept[TOKEN_FILE].strip(), own, given) if token]
    for token in found:
        host.log.hide(token)
    return list(dict.fromkeys(found))


def kept_in(source: Path) -> dict[str, str]:
    """What tells the backup's cluster from others, in one pass over a large file."""
    found = read_files(source, lambda path: path in (TOKEN_FILE, CA))
    for wanted in (TOKEN_FILE, CA):
        if wanted not in found:
            raise KubepiError(f"{source} holds no {wanted}", BUSY)
    return {name: content.decode(errors="replace") for name, content in found.items()}
