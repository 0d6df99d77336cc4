"""The phases of a restore, each a step: what the master remembered, its keys, its etcd, its pods.

May touch: what kubepi and kubeadm keep of a master; etcd's data is replaced. machine/restoring.py
has the backup. Tests: tests/steps/test_restoring.py, tests/lab/test_backup.py.
"""

from dataclasses import dataclass

from kubepi.decide.backup import (
    AUTHORITIES,
    SNAPSHOT,
    Manifest,
    next_sequence,
    revision_bump,
    time_text,
)
from kubepi.decide.credentials import bootstrap_token
from kubepi.decide.goal import TOKEN, Goal
from kubepi.decide.kubeadm_config import init_documents
from kubepi.errors import NotYet
from kubepi.lan.peers import read_peers
from kubepi.machine import restoring, state
from kubepi.machine.host import Host
from kubepi.machine.restoring import RESTORE, content_of, laid_out, note_phase
from kubepi.machine.step import Finding
from kubepi.steps import control_plane
from kubepi.steps.apt import pinned_version
from kubepi.steps.backups import CLUSTER_ID
from kubepi.steps.etcd_tools import etcdutl_image, run_tool
from kubepi.steps.install import AGENT
from kubepi.steps.kubeadm import node_name, run_with_config, this_node
from kubepi.steps.names import own_address

ETCD, STARTED = "etcd", "started"
DATA = "/var/lib/etcd"
CLOCK_SECONDS = 180.0
REMEMBERED = (CLUSTER_ID, state.PINNED_VERSION, state.KNOWN)
BELOW = tuple(f"{state.STATE}/{folder}/" for folder in ("secrets", "addons", "labels"))
USERS_CONFIG = "/etc/kubepi/kubepi.yaml"
PKI = "/etc/kubernetes/pki"
NEW_LIFE = f"{RESTORE}/life"


def lives_here(host: Host, manifest: Manifest) -> bool:
    """Whether this Pi is the node that the backup was made of, and no other one goes on as it."""
    own = (host.read(state.NODE_ID) or "").strip()
    return own == manifest.node_id and not host.exists(state.REPLACED)


@dataclass(frozen=True)
class StateRestored:
    """Who the master was: its id, its token, its version; where it lives still, only what lacks.

    The id makes it the same node for all others; the number of its adverts goes far ahead, so that
    nobody listens to the one that it was.
    """

    @property
    def name(self) -> str:
        return "what the master remembered"

    def _missing(self, host: Host) -> dict[str, bytes]:
        manifest = laid_out(host)
        is_here = lives_here(host, manifest)
        found = {}
        for name in manifest.files:
            content = content_of(host, name)
            wanted = name in REMEMBERED or name.startswith(BELOW) or name == USERS_CONFIG
            keeps_own = is_here or name == USERS_CONFIG
            if not wanted or content is None or (keeps_own and host.exists(name)):
                continue
            if host.read_bytes(name) != content:
                found[name] = content
        return found

    def check(self, host: Host) -> Finding | None:
        manifest = laid_out(host)
        if not lives_here(host, manifest):
            return Finding(f"this Pi is not {manifest.node} yet")
        missing = self._missing(host)
        return Finding(f"{min(missing)} is missing") if missing else None

    def apply(self, host: Host) -> None:
        manifest = laid_out(host)

        def behind() -> str | None:
            now = host.now()
            return None if now >= manifest.made else f"it says {time_text(now)}"

        # the number of its adverts comes from the time that has passed since
        host.wait_until("the clock to be right", behind, CLOCK_SECONDS)
        for name, content in self._missing(host).items():
            folder = name.rpartition("/")[0]
            host.mkdir(folder, 0o700 if folder.startswith(state.STATE) else 0o755)
            host.write(name, content, manifest.files[name].mode)
        if not lives_here(host, manifest):
            known = int((host.read(state.SEQUENCE) or "0").strip() or 0)
            ahead = next_sequence(manifest, host.now(), known)
            host.remove(state.VOTE)
            host.write(state.SEQUENCE, f"{ahead}\n", 0o600)
            state.want_restart(host, AGENT)
            host.write(state.NODE_ID, f"{manifest.node_id}\n", 0o600)
            # last: with it all before is right
            host.remove(state.REPLACED)


@dataclass(frozen=True)
class ControlPlaneStopped:
    """Nothing writes to etcd's data, and no boot starts what would."""

    @property
    def name(self) -> str:
        return "control plane stopped"

    def check(self, host: Host) -> Finding | None:
        laid_out(host)
        if restoring.phase(host):
            return None
        seen = control_plane.still_there(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        if not restoring.phase(host):
            control_plane.stop(host)


@dataclass(frozen=True)
class KeysRestored:
    """The cluster's authorities: whoever trusted the old master trusts this one."""

    @property
    def name(self) -> str:
        return "keys of the cluster"

    def _missing(self, host: Host) -> list[str]:
        there = laid_out(host).files
        return [
            name for name in AUTHORITIES
            if name in there and host.read_bytes(name) != content_of(host, name)
        ]  # fmt: skip

    def check(self, host: Host) -> Finding | None:
        missing = self._missing(host)
        return Finding(f"{missing[0]} is missing or another") if missing else None

    def apply(self, host: Host) -> None:
        files = laid_out(host).files
        for name in self._missing(host):
            host.write(name, content_of(host, name) or b"", files[name].mode)


@dataclass(frozen=True)
class EtcdRestored:
    """etcd's data as the backup has it; what was there is gone."""

    goal: Goal

    @property
    def name(self) -> str:
        return "etcd's data"

    def check(self, host: Host) -> Finding | None:
        manifest = laid_out(host)
        done = restoring.phase(host) in (ETCD, STARTED)
        return None if done else Finding(f"to be that of {manifest.said}")

    def apply(self, host: Host) -> None:
        if restoring.phase(host) in (ETCD, STARTED):
            return
        image = etcdutl_image(host)
        if image is None:
            raise NotYet("an image with etcdutl")
        # revisions begin above all that a client can have seen, and older ones count as compacted:
        # what watched the lost state reads all anew (etcd, "Disaster recovery", on revisions)
        bump = str(revision_bump(laid_out(host), host.now()))
        node, peer = node_name(host), f"https://{own_address(host, self.goal)}:2380"
        host.mkdir(DATA, 0o700)
        host.empty(DATA)
        run_tool(
            host, image, {RESTORE: "/kubepi", DATA: "/data"}, "etcdutl", "snapshot", "restore",
            f"/kubepi/{SNAPSHOT}", "--data-dir", "/data", "--name", node, "--initial-cluster",
            f"{node}={peer}", "--initial-advertise-peer-urls", peer,
            "--bump-revision", bump, "--mark-compacted",
        )  # fmt: skip
        host.chmod(DATA, 0o700)
        note_phase(host, ETCD)


@dataclass(frozen=True)
class ControlPlaneRestored:
    """kubeadm's control plane on that data: certificates and manifests for this Pi's address."""

    goal: Goal
    can_lower_oom_score: bool

    @property
    def name(self) -> str:
        return "control plane on the restored data (kubeadm init)"

    def check(self, host: Host) -> Finding | None:
        laid_out(host)
        return None if restoring.phase(host) == STARTED else Finding("is not there")

    def apply(self, host: Host) -> None:
        if restoring.phase(host) == STARTED:
            return
        # what an attempt before left may be half written: kubeadm syncs nothing
        control_plane.stop(host)
        self._clear(host)
        token = bootstrap_token(state.need_secret(host, TOKEN))
        host.log.hide(token)
        node = this_node(host, self.goal, self.can_lower_oom_score)
        documents = init_documents(
            self.goal.settings, node, pinned_version(host), self.goal.api_name, token
        )
        # its preflight refuses data that is there
        skipped = "--skip-phases=preflight,show-join-command"
        run_with_config(host, documents, "init", "--skip-token-print", skipped)
        note_phase(host, STARTED)

    def _clear(self, host: Host) -> None:
        """All but the authorities: kubeadm makes it anew."""
        for folder in (PKI, f"{PKI}/etcd"):
            for entry in host.listdir(folder):
                name = f"{folder}/{entry}"
                if name not in AUTHORITIES and not host.is_dir(name):
                    host.remove(name)
        for entry in host.listdir("/etc/kubernetes"):
            if entry.endswith(".conf"):
                host.remove(f"/etc/kubernetes/{entry}")
        for entry in host.listdir("/var/lib/kubelet/pki"):
            if entry.startswith("kubelet-client"):
                host.remove(f"/var/lib/kubelet/pki/{entry}")


@dataclass(frozen=True)
class LifeBegun:
    """The number of the cluster's new life, above all that are known, in this node's adverts.

    A master of before that hears it steps back for good (kubepi/agent/replaced.py).
    """

    @property
    def name(self) -> str:
        return "a new life of the cluster"

    def check(self, host: Host) -> Finding | None:
        laid_out(host)
        number = host.read(NEW_LIFE)
        done = number is not None and host.read(state.LIFE) == number
        return None if done else Finding("is not begun")

    def apply(self, host: Host) -> None:
        if host.read(NEW_LIFE) is None:
            of_backup = int(content_of(host, state.LIFE) or 0)
            heard = max((p.advert.life for p in read_peers(host).values() if p.trusted), default=0)
            before = max(of_backup, heard, state.life(host), laid_out(host).made)
            host.write(NEW_LIFE, f"{max(int(host.now()), before + 1)}\n", 0o600)
        host.write(state.LIFE, host.read(NEW_LIFE) or "", 0o600)


@dataclass(frozen=True)
class RestoreOver:
    """What was laid out for a restore, with all its secrets, is gone."""

    @property
    def name(self) -> str:
        return "nothing left of a restore"

    def check(self, host: Host) -> Finding | None:
        return Finding(f"{RESTORE} is there") if host.exists(RESTORE) else None

    def apply(self, host: Host) -> None:
        host.remove_tree(RESTORE)
