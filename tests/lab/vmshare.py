"""Two virtual machines as one cluster with a share: what only a kernel of their own shows.

The first serves and has a second, empty disk; the second is a worker.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labmachine import resolv_conf
from labrun import LabError, last_lines, run, wait_until
from pis import FILE, KIT
from vm import Done, Vm
from vmarch import AMD64
from vmimage import vm_image
from vmlab import RELEASE, amd64_kit, vm_labs

SERIAL = "kubepi-spare"
DISK = f"/dev/disk/by-id/virtio-{SERIAL}"
DISK_SIZE = "1G"
MOUNT = "/mnt/kubepi"
FOLDER = f"{MOUNT}/default/data"  # of the claim below
WAIT_SECONDS = 1800.0  # everything is emulated; only a limit for what will never come
ASK_SECONDS = 10.0
LOG = "/var/log/kubepi.log"
MOVE = "/var/lib/kubepi/share-move.json"
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
class SpareVm(Vm):
    """The first one of the lab has a spare disk, with a stable id."""

    @property
    def spare(self) -> Path:
        return self.clone.state / f"spare{self.number}.qcow2"

    def _qemu(self) -> list[str]:
        if self.number > 1:
            return super()._qemu()
        drive = f"file={self.spare},format=qcow2,if=none,id=spare,cache=writeback"
        # behind the others on its bus, so that the root stays /dev/vda
        device = f"virtio-blk-pci,drive=spare,serial={SERIAL},addr=0x1e"
        return [*super()._qemu(), "-drive", drive, "-device", device]

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
    with vm_labs(vm_image(RELEASE, AMD64), amd64_kit(), SpareVm, 2) as (one, two):
        run(["qemu-img", "create", "-q", "-f", "qcow2", str(one.spare), DISK_SIZE])
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
    # a pod is put on either of them, and an emulated node is often silent for as long as a dead one
    config = (
        "kubernetes:\n  workloads_on_control_plane: yes\n  not_ready_after: 120\n"
        "  pods_move_after: 300\n"
    )
    one.ask("mkdir -p /etc/kubepi && cat > /etc/kubepi/kubepi.yaml", stdin=config)
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
