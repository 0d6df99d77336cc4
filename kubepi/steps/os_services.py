"""Units of the OS that read a file of kubepi's, and kubelet what holds for this node alone.

logind waits at a shutdown until kubelet has ended the pods; the journal leaves room on the card.
May touch: /etc/systemd/logind.conf.d, /etc/systemd/journald.conf.d, /etc/kubepi/kubelet.d.
Tests: tests/steps/test_os_services.py, tests/lab/test_failure.py.
"""

from dataclasses import dataclass, field

from kubepi.decide.goal import Goal
from kubepi.decide.kubeadm_config import KUBELET_FILES, SHUTDOWN_SECONDS
from kubepi.decide.mounts import NODE_DATA
from kubepi.decide.room import kubelet_room
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import File
from kubepi.steps.services import unit_state

KUBELET_FILE = f"{KUBELET_FILES}/90-kubepi.conf"


@dataclass(frozen=True)
class FileRead:
    """A file in its place, and read anew by a unit that runs; a boot does that by itself.

    `how`: the words for systemctl before the unit's name.
    """

    path: str
    content: str = field(repr=False)
    unit: str
    how: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"file {self.path}"

    def _file(self) -> File:
        return File(self.path, self.content, restarts=(self.unit,))

    def check(self, host: Host) -> Finding | None:
        finding = self._file().check(host)
        if finding is None and host.exists(state.restart_flag(self.unit)):
            return Finding(f"is not read by {self.unit} yet")
        return finding

    def apply(self, host: Host) -> None:
        self._file().apply(host)
        if unit_state(host, self.unit).get("ActiveState") == "active":
            host.run(["systemctl", *self.how, self.unit])
        host.remove(state.restart_flag(self.unit))


@dataclass(frozen=True)
class KubeletRoom:
    """Thresholds by the size of this node's disks, where a kubeadm upgrade leaves them alone."""

    goal: Goal = field(repr=False)

    @property
    def name(self) -> str:
        return f"file {KUBELET_FILE}"

    def _part(self, host: Host) -> FileRead:
        images, node = (host.size_bytes(NODE_DATA[name]) for name in ("containerd", "kubelet"))
        text = kubelet_room(images, node, self.goal.settings["kubernetes.kubelet"])
        return FileRead(KUBELET_FILE, text, "kubelet.service", ("restart",))

    def check(self, host: Host) -> Finding | None:
        return self._part(host).check(host)

    def apply(self, host: Host) -> None:
        self._part(host).apply(host)


def os_services() -> list[FileRead]:
    """Ubuntu's unattended-upgrades has a drop-in with a name of letters: the last one counts."""
    wait = f"[Login]\nInhibitDelayMaxSec={SHUTDOWN_SECONDS + 5}\n"
    return [
        FileRead(
            "/etc/systemd/logind.conf.d/zz-kubepi.conf", wait, "systemd-logind.service",
            ("kill", "--signal=HUP"),
        ),
        FileRead(
            "/etc/systemd/journald.conf.d/zz-kubepi.conf", "[Journal]\nSystemMaxUse=200M\n",
            "systemd-journald.service", ("try-restart",),
        ),
    ]  # fmt: skip
