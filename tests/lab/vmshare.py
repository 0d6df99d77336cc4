"""Two virtual machines as one cluster with a share: what only a kernel of their own shows.

The first serves and has a second, empty disk; the second is a worker.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from labmachine import resolv_conf
from labrun import LabError, last_lines, run, wait_until
from pis import FILE, KIT
from uml import Uml, uml_image
from umlkit import with_older_tables
from vm import Done
from vmlab import amd64_kit, vm_labs

DISK = "/dev/disk/by-id/ubd-ubdc"
MOUNT = "/mnt/kubepi"
FOLDER = f"{MOUNT}/default/data"  # of the claim below
WAIT_SECONDS = 1800.0  # only a limit for what will never come
ASK_SECONDS = 2.0
LOG = "/var/log/kubepi.log"
MOVE = "/var/lib/kubepi/share-move.json"
# a pod is put on either of them; a machine that shares its processor is at times silent for long
CONFIG = """\
kubernetes:
  workloads_on_control_plane: yes
  not_ready_after: 120
  pods_move_after: 300
  ignore_preflight: [NumCPU, SystemVerification]
preflight:
  ignore: [processors]
"""
# A writer on the worker: numbers, each synced before the next, so that a lost one leaves a gap.
WRITER = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec:
  accessModes: [ReadWriteMany]
  resources: {requests: {storage: 100Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: writer, namespace: default}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: writer}}
  template:
    metadata: {labels: {app: writer}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {kubernetes.io/hostname: pi2}
      containers:
      - name: writer
        image: docker.io/library/busybox:1.37
        command:
        - sh
        - -c
        - |
          cd /data
          last=$(tail -n 1 numbers 2>/dev/null)
          n=$((${last:-0} + 1))
          while true; do echo $n >> numbers; sync numbers; n=$((n + 1)); sleep 1; done
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


@dataclass
class SpareVm(Uml):
    """The first one of the lab has a spare disk, with a stable id, unless it is pulled out."""

    spare_size: ClassVar[str] = "1G"
    pulled_out: bool = False

    def make_disk(self) -> None:
        super().make_disk()
        if self.number == 1:
            run(["truncate", "--size", self.spare_size, str(self.spare)])

    @property
    def spare(self) -> Path:
        return self.clone.state / "spare"

    def disks(self) -> list[str]:
        has_it = self.number == 1 and not self.pulled_out
        more = [f"ubd2={self.inside(self.spare)}"] if has_it else []
        return [*super().disks(), *more]

    def log(self) -> str:
        return last_lines(self.ssh(f"tail -n 60 {LOG}").stdout, 60)

    def must(self, command: str, seconds: float = WAIT_SECONDS) -> str:
        """What a command prints that has to succeed, however long it takes here."""
        done = self.ssh(command, seconds=seconds)
        if done.returncode:
            said = f"{done.stdout}\n{done.stderr}"
            raise LabError(f"pi{self.number}: {command}\n{said}\n{self.log()}")
        return done.stdout

    def until(self, what: str, command: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a command in it succeeds."""
        if not wait_until(lambda: self.ssh(command).returncode == 0, seconds, ASK_SECONDS):
            done = self.ssh(command)
            said = f"{done.stdout}{done.stderr}\n{self.log()}"
            raise LabError(f"pi{self.number}: never {what}: {said}")

    def kubectl(self, words: str, stdin: str = "") -> Done:
        return self.ssh(f"kubectl {words}", stdin=stdin, seconds=120)


@contextmanager
def share_lab(kubepi: Path) -> Iterator[tuple[SpareVm, SpareVm]]:
    """Master and worker of one cluster, both Ready, with the classes of volumes."""
    with vm_labs(uml_image(), with_older_tables(amd64_kit()), SpareVm, 2) as (one, two):
        for vm in (one, two):
            vm.switch_on()
        for vm in (one, two):
            settle(vm, kubepi)
        make_cluster(one, two)
        yield one, two


def settle(vm: SpareVm, kubepi: Path) -> None:
    """As a card that booted once, with a name of its own."""
    name = f"pi{vm.number}"
    vm.until("up", "true")
    vm.must(f"echo {name} > /etc/hostname; hostname {name}; sed -i s/pi1/{name}/ /etc/hosts")
    vm.ask("cat > /etc/resolv.conf", stdin=resolv_conf())
    vm.push(kubepi, FILE)


def make_cluster(one: SpareVm, two: SpareVm) -> None:
    for vm in (one, two):
        vm.ask("mkdir -p /etc/kubepi && cat > /etc/kubepi/kubepi.yaml", stdin=CONFIG)
    one.must(f"python3 -I {FILE} init --kit {KIT}")
    two.ask("umask 077; cat > /root/token", stdin=one.must("kubepi token show"))
    two.must(f"python3 -I {FILE} join --token-file /root/token --kit {KIT}")


def numbers(vm: SpareVm) -> list[int]:
    """What the writer has written, as this node sees it."""
    return [int(line) for line in vm.must(f"cat {FOLDER}/numbers").split()]


def checksums(vm: SpareVm, folder: str) -> str:
    """Of all but the writer's file."""
    files = "find . -type f -not -name numbers -exec sha256sum {} +"
    return "\n".join(sorted(vm.must(f"cd {shlex.quote(folder)} && {files}").splitlines()))


def phase(vm: SpareVm) -> str:
    found = vm.ssh(f"cat {MOVE}")
    return str(json.loads(found.stdout)["phase"]) if found.returncode == 0 else ""
