"""All of one folder into another with rsync, compared by checksums; one of them may be on a NAS.

May touch: the target folder, /run/kubepi/share-target. Tests: tests/steps/test_moving.py.
"""

from dataclasses import dataclass

from kubepi.decide.move import Move, Place
from kubepi.decide.share import MASTER, NOT_DATA, is_address
from kubepi.errors import CommandFailed, StepFailed
from kubepi.machine import state
from kubepi.machine.disks import is_mounted
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding
from kubepi.steps.kubeadm import node_name

OUTSIDE = f"{state.RUN}/share-target"  # where a NAS is mounted while data is copied to it
# a NAS that does not answer is told within seconds; later the share itself is mounted hard
MOUNT_OPTIONS = "nfsvers=4.2,proto=tcp,soft,timeo=100,retrans=2,retry=0"
COPY_SECONDS = 7 * 24 * 3600.0
OURS = tuple(f"--exclude=/{name}" for name in NOT_DATA)
VANISHED = 24  # rsync(1): files went while it copied, as they do where somebody works


def folder_of(host: Host, place: Place) -> str:
    """Where this node, the master, finds the data of a place."""
    share = followed_share(host)
    if place.server in (MASTER, node_name(host)):
        return place.path
    if share is not None and share.path == place.path and place.server in (
        share.address, *([] if is_address(place.server) else [place.server])
    ):  # fmt: skip
        return share.mount  # of a NAS, or of another node
    return OUTSIDE


@dataclass(frozen=True)
class OutsideMounted:
    """A NAS, for as long as data is copied to it."""

    source: str

    @property
    def name(self) -> str:
        return f"mount of {self.source}"

    def check(self, host: Host) -> Finding | None:
        return None if is_mounted(host, OUTSIDE) else Finding("is not there")

    def apply(self, host: Host) -> None:
        host.mkdir(OUTSIDE)
        where = str(host.path(OUTSIDE))
        try:
            host.run(["mount", "-t", "nfs4", "-o", MOUNT_OPTIONS, self.source, where], timeout=60)
        except CommandFailed as error:
            raise StepFailed(
                f"{self.source} cannot be mounted: {last_line(error.output)}",
                "is it on, does it export this folder to this Pi, as NFSv4?",
            ) from error


def unmount_outside(host: Host) -> None:
    if is_mounted(host, OUTSIDE):
        host.run(["umount", str(host.path(OUTSIDE))])


def copy(host: Host, move: Move) -> None:
    """All of the source into the target, and nothing else left there."""
    if not move.has_data:
        return
    source, target = folder_of(host, move.source), folder_of(host, move.target)
    free = host.free_bytes(target)

    def tell() -> None:
        done = max(free - host.free_bytes(target), 0)
        host.on_wait(f"copying {source} to {target}: {done // 10**6} MB so far")

    line = [*rsync(host, move), f"{host.path(source)}/", f"{host.path(target)}/"]
    # the shell passes its words on and forgives one code
    script = f'rsync "$@" || [ $? -eq {VANISHED} ]'
    host.run(["sh", "-c", script, *line], timeout=COPY_SECONDS, watch=tell)
    host.sync()


def differences(host: Host, move: Move) -> list[str]:
    """Files that are not the same in both places, by their content."""
    if not move.has_data:
        return []
    source, target = (str(host.path(folder_of(host, p))) for p in (move.source, move.target))
    # from the disks: what was just written is still in the memory, whatever the disk made of it
    host.sync()
    host.tune("/proc/sys/vm/drop_caches", "1")
    options = [*rsync(host, move)[1:], "--checksum", "--dry-run", "--itemize-changes"]
    result = host.run(["rsync", *options, f"{source}/", f"{target}/"], timeout=COPY_SECONDS)
    return [line.split(maxsplit=1)[-1] for line in result.stdout.splitlines() if line.strip()]


def rsync(host: Host, move: Move) -> list[str]:
    """The name for the shell, and what to keep: over NFS neither ACLs nor all attributes go."""
    own = (MASTER, node_name(host))
    outside = any(place.server not in own for place in (move.source, move.target))
    return ["rsync", "-aH" if outside else "-aHAX", "--numeric-ids", "--delete", *OURS]


def last_line(output: str) -> str:
    return next(iter(reversed(output.strip().splitlines())), "no answer")
