"""kubeadm's part of an upgrade, as steps that survive a power cut at any moment.

kubeadm moves each manifest away before it puts the new one there, and renews a certificate and
its key one after the other, without a sync (kubeadm's phases/upgrade/staticpods.go): a cut leaves
a control plane that does not start, and kubeadm upgrades none that does not answer. So all it
changes is kept before.
May touch: what kubeadm touches, /var/lib/kubepi/before-upgrade.
Tests: tests/steps/test_upgrading.py, tests/lab/test_upgrade.py.
"""

import base64
from dataclasses import dataclass
from urllib.parse import quote, unquote

from kubepi.cluster import kubectl
from kubepi.decide.goal import Goal
from kubepi.decide.kubeadm_config import upgrade_document
from kubepi.errors import NotYet, StepFailed
from kubepi.machine import state, upgrading
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.machine.upgrading import KEPT
from kubepi.steps.kubeadm import run_with_config

ATTEMPT = "upgrade"
KUBERNETES = "/etc/kubernetes"
CHANGED = (
    f"{KUBERNETES}/manifests", f"{KUBERNETES}/pki", f"{KUBERNETES}/pki/etcd", KUBERNETES,
    "/var/lib/kubelet",
)  # fmt: skip
BACKUPS = f"{KUBERNETES}/tmp"
BACKUP_KINDS = ("kubeadm-backup-etcd-", "kubeadm-backup-manifests-")


def _files(host: Host) -> list[str]:
    """What kubeadm may write to; in /var/lib/kubelet there are sockets and state besides."""
    names = [f"{folder}/{entry}" for folder in CHANGED for entry in host.listdir(folder)]
    endings = (".yaml", ".env", ".crt", ".key", ".pub", ".conf")
    return [name for name in names if name.endswith(endings) and not host.is_dir(name)]


def _keep(host: Host) -> None:
    host.remove_tree(KEPT)
    host.mkdir(KEPT, 0o700)
    for name in _files(host):
        content = base64.b64encode(host.read_bytes(name) or b"").decode()
        about = {"content": content, "mode": host.mode(name)}
        state.write_json(host, f"{KEPT}/{quote(name, safe='')}", about)


def _put_back(host: Host, *, only_lost: bool) -> list[str]:
    """Names of the files that were missing, or empty, or other than before."""
    found = []
    for entry in host.listdir(KEPT):
        name, kept = unquote(entry), state.read_json(host, f"{KEPT}/{entry}")
        content = base64.b64decode(kept["content"])
        there = host.read_bytes(name)
        if (not there) if only_lost else (there != content):
            host.write(name, content, kept["mode"])
            found.append(name)
    return found


def _lost(host: Host) -> list[str]:
    return [name for entry in host.listdir(KEPT) if not host.read(name := unquote(entry))]


def prune_backups(host: Host) -> None:
    """Each upgrade leaves a copy of etcd's data behind; the newest is enough for an SD card."""
    for kind in BACKUP_KINDS:
        for name in sorted(n for n in host.listdir(BACKUPS) if n.startswith(kind))[:-1]:
            host.remove_tree(f"{BACKUPS}/{name}")


@dataclass(frozen=True)
class ControlPlaneMended:
    """What a power cut in kubeadm's upgrade broke: put back so far that the API here answers.

    That of another master says nothing of the files of this one.
    """

    patience: float = 300.0

    @property
    def name(self) -> str:
        return "control plane mended"

    def check(self, host: Host) -> Finding | None:
        if not state.attempted(host, ATTEMPT):
            return None
        if lost := _lost(host):
            return Finding(f"{lost[0]} was lost in a power cut")
        seen = kubectl.is_own_ready(host)
        return None if seen is None else Finding(seen)

    def apply(self, host: Host) -> None:
        for only_lost in (True, False):
            for name in _put_back(host, only_lost=only_lost):
                host.log.line(f"decision: {name} is put back as it was before the upgrade")
            host.sync()
            host.run(["systemctl", "start" if only_lost else "restart", "kubelet"])
            try:
                host.wait_until("the API", lambda: kubectl.is_own_ready(host), self.patience, 2.0)
                return
            except StepFailed:
                if not only_lost:
                    raise


@dataclass(frozen=True)
class KubeadmUpgraded:
    """kubeadm's part: the control plane on a master, the kubelet's configuration on a worker."""

    goal: Goal
    version: str

    @property
    def name(self) -> str:
        what = "control plane" if self.goal.role == "master" else "kubelet's configuration"
        return f"{what} {self.version} (kubeadm upgrade)"

    def check(self, host: Host) -> Finding | None:
        if state.attempted(host, ATTEMPT):
            return Finding("an earlier attempt was interrupted")
        return None if self._is_done(host) else Finding("is to be made")

    def apply(self, host: Host) -> None:
        if not self._is_done(host):
            self._upgrade(host)
            # all that kubeadm wrote, before it counts as done
            host.sync()
            upgrading.note(host, configured=True)
        host.remove_tree(KEPT)
        state.end_attempt(host, ATTEMPT)

    def _is_done(self, host: Host) -> bool:
        found = upgrading.load(host)
        return found is not None and found.configured and found.version == self.version

    def _upgrade(self, host: Host) -> None:
        word = (host.read(state.attempt_file(ATTEMPT)) or "").strip()
        if not word:
            _keep(host)
            host.sync()
            word = self._word(host)
            state.begin_attempt(host, ATTEMPT, word)
        prune_backups(host)
        ignored = self.goal.settings["kubernetes.ignore_preflight"]
        document = upgrade_document(self.version, ignored)
        run_with_config(host, [document], "upgrade", *word.split())
        prune_backups(host)

    def _word(self, host: Host) -> str:
        """The first master upgrades the cluster, all other nodes only themselves."""
        if self.goal.role != "master":
            return "node"
        words = ("-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "json")
        result = kubectl.ask(host, *words)
        if not result.ok:
            raise NotYet("the Kubernetes API")
        is_first = f"kubernetesVersion: {self.version}\\n" not in result.stdout
        return "apply --yes" if is_first else "node"


def is_begun(host: Host) -> bool:
    """Whether kubeadm has changed something: from here on there is only forward."""
    found = upgrading.load(host)
    return state.attempted(host, ATTEMPT) or (found is not None and found.configured)

