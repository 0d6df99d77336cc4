"""A master that was restored on another board: the old one, when it comes back, is not heard any
more, finds out by the new one's adverts, and stops its control plane for good.

May touch: the note of it, kubelet, the static pods. Tests: tests/unit/test_things.py, tests/lab.
"""

from dataclasses import dataclass

from kubepi.decide.peerbook import other_life
from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host

TRY_AGAIN = 30.0  # seconds after a failure


@dataclass
class Replaced:
    """Remembers it over boots: whoever was replaced says nothing any more."""

    host: Host
    own_id: str
    is_so: bool = False
    is_stopped: bool = False
    not_before: float = 0.0

    def __post_init__(self) -> None:
        self.is_so = self.host.exists(state.REPLACED)

    def hear(self, record: bytes, key: bytes | None) -> None:
        if self.is_so or self.own_id.encode() not in record:
            return
        said = int((self.host.read(state.SEQUENCE) or "0").strip() or 0)
        advert = other_life(record, key, self.own_id, said)
        if advert is not None:
            self.host.log.tell(f"agent: {advert.node} goes on at {advert.address}, not here")
            self.host.write(state.REPLACED, f"{advert.address}\n", 0o600)
            self.is_so = True

    def wanted(self) -> bool:
        return self.is_so and not self.is_stopped and self.host.monotonic() > self.not_before

    def do(self) -> None:
        """No second API with the same name, and no boot that starts one."""
        from kubepi.steps import control_plane  # only then: the agent stays small

        self.not_before = self.host.monotonic() + TRY_AGAIN
        try:
            control_plane.stop(self.host)
            self.host.run(["systemctl", "disable", "kubelet"])
        except KubepiError as error:
            self.host.log.tell(f"agent: the replaced master waits to stop: {error.sentence}")
            return
        self.is_stopped = True
