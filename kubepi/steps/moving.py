"""The phases of a move of the share's data, each a step; decide/move.py says what is remembered.

May touch: the new place, the workloads that use the share, the goal's storage.nfs settings.
Tests: tests/steps/test_moving.py, tests/lab/test_vm_share.py.
"""

from dataclasses import dataclass, replace

from kubepi.cluster import kubectl, users
from kubepi.decide.move import Move, Place
from kubepi.decide.share import is_address
from kubepi.errors import NotYet, StepFailed
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.disks import is_mounted
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.machine.step import Finding, Step
from kubepi.steps.copying import OUTSIDE, OutsideMounted, copy, differences, unmount_outside
from kubepi.steps.disks import FolderOpened
from kubepi.steps.kubeadm import node_name
from kubepi.steps.mounts import FolderMade, MountEnded
from kubepi.steps.packages import AptPackages
from kubepi.steps.parts import first_finding, make_right
from kubepi.steps.share import ShareMounted, ShareServed, share_disk

MOVE = f"{state.STATE}/share-move.json"


def load_move(host: Host) -> Move | None:
    data = state.read_json(host, MOVE)
    return None if data is None else Move.from_json(data)


def save_move(host: Host, move: Move) -> None:
    state.write_json(host, MOVE, move.to_json())


def need_move(host: Host) -> Move:
    move = load_move(host)
    if move is None:
        raise NotYet("a move of the share")
    return move


def reached(host: Host, phase: str) -> Finding | None:
    move = need_move(host)
    return None if move.has_reached(phase) else Finding(f"{move.source} → {move.target}")


def note(host: Host, phase: str) -> None:
    save_move(host, replace(need_move(host), phase=phase))


@dataclass(frozen=True)
class TargetReady:
    """The new place, empty as it was, ready to be written to."""

    kit: str

    @property
    def name(self) -> str:
        return "the new place"

    def _parts(self, host: Host) -> list[Step]:
        target = need_move(host).target
        tools: list[Step] = [AptPackages(("rsync",), self.kit)]
        if is_address(target.server):
            tools = [AptPackages(("rsync", "nfs-common"), self.kit)]
            return [*tools, OutsideMounted(f"{target.server}:{target.path}")]
        if target.device:
            return [*tools, *share_disk(target.device, target.path)]
        return [*tools, FolderMade(target.path)]

    def check(self, host: Host) -> Finding | None:
        if need_move(host).has_reached("verified"):
            return None
        return first_finding(self._parts(host), host)

    def apply(self, host: Host) -> None:
        make_right(self._parts(host), host)


@dataclass(frozen=True)
class DataCopied:
    """Most of the data, while all goes on working with the old place."""

    @property
    def name(self) -> str:
        return "data copied"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "copied")

    def apply(self, host: Host) -> None:
        if self.check(host) is not None:
            copy(host, need_move(host))
            note(host, "copied")


@dataclass(frozen=True)
class UsersStopped:
    """What uses the share is scaled down, once it is noted how much of it there was."""

    patience: float = 300.0

    @property
    def name(self) -> str:
        return "users of the share stopped"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "stopped")

    def apply(self, host: Host) -> None:
        if self.check(host) is None:
            return
        objects = users.everything(host)
        refuse_loners(users.loners(objects))
        move, running = need_move(host), users.users(objects)
        # one that is stopped already was noted by the run before this one
        noted = {str(user): user for user in (*running, *move.users)}
        save_move(host, replace(move, users=tuple(noted[name] for name in sorted(noted))))
        for user in running:
            users.stop(host, user)

        def at_work() -> str | None:
            try:
                return ", ".join(users.pods_at_work(users.everything(host))[:3]) or None
            except NotYet as missing:
                return f"no answer from {missing.what}"

        host.wait_until("the users of the share to end", at_work, self.patience, 1.0)
        note(host, "stopped")


@dataclass(frozen=True)
class DataVerified:
    """The rest of the data, and every file compared by its checksum."""

    @property
    def name(self) -> str:
        return "data verified"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "verified")

    def apply(self, host: Host) -> None:
        if self.check(host) is None:
            return
        move = need_move(host)
        nobody_else_writes(host)
        copy(host, move)
        if differing := differences(host, move):
            raise StepFailed(
                f"{len(differing)} files differ after the copy, the first is {differing[0]}",
                "the old place is in use still; does something write there? then once more",
            )
        note(host, "verified")


@dataclass(frozen=True)
class ShareSwitched:
    """The goal names the new place; it is served, and mounted here."""

    @property
    def name(self) -> str:
        return "share switched"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "switched")

    def apply(self, host: Host) -> None:
        if self.check(host) is None:
            return
        goal, move = state.load_goal(host), need_move(host)
        assert goal is not None, "a move is made by a master"
        if Place.of(goal.settings) == move.source:
            nobody_else_writes(host)
        goal = replace(goal, settings={**goal.settings, **move.target.settings})
        state.save_goal(host, goal)
        unmount_outside(host)
        make_right([ShareServed(goal), ShareMounted(goal)], host)
        note(host, "switched")


@dataclass(frozen=True)
class ShareFollowed:
    """Every Ready node says in its advert that it has gone over; one that is off does it later."""

    patience: float = 300.0

    @property
    def name(self) -> str:
        return "share followed by all"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "followed")

    def apply(self, host: Host) -> None:
        share = str(followed_share(host))

        def behind() -> str | None:
            try:
                nodes = kubectl.ask_items(host, "nodes")
            except NotYet as missing:
                return f"no answer from {missing.what}"
            ready = {n["metadata"]["name"] for n in nodes if kubectl.not_ready_because(n) is None}
            peers = (peer.advert for peer in read_peers(host).values() if peer.trusted)
            there = {advert.node for advert in peers if advert.share == share}
            return ", ".join(sorted(ready - there - {node_name(host)})) or None

        host.wait_until("all nodes to mount the new place", behind, self.patience)
        note(host, "followed")


@dataclass(frozen=True)
class UsersStarted:
    """What was stopped runs again, as much of it as there was."""

    @property
    def name(self) -> str:
        return "users of the share started"

    def check(self, host: Host) -> Finding | None:
        return reached(host, "done")

    def apply(self, host: Host) -> None:
        start_users(host, need_move(host))
        note(host, "done")


def start_users(host: Host, move: Move) -> None:
    objects = users.everything(host)
    for user in move.users:
        if users.exists(objects, user):
            users.start(host, user)


def nobody_else_writes(host: Host) -> None:
    """Somebody may have started what was stopped: then the copy is not the whole."""
    if at_work := users.pods_at_work(users.everything(host)):
        note(host, "copied")
        raise StepFailed(
            f"{at_work[0]} was started in the middle of the move",
            "the same command stops it again, and copies what it wrote",
        )


@dataclass(frozen=True)
class MoveLeft:
    """No disk or NAS of a move is mounted any more; what is on them stays."""

    @property
    def name(self) -> str:
        return "no move of the share"

    def _parts(self, host: Host) -> list[Step]:
        move = load_move(host)
        if move is None:
            return []
        disks = sorted({place.path for place in (move.source, move.target) if place.device})
        return [*(MountEnded(path) for path in disks), *(FolderOpened(path) for path in disks)]

    def check(self, host: Host) -> Finding | None:
        if is_mounted(host, OUTSIDE):
            return Finding(f"{OUTSIDE} is mounted")
        return first_finding(self._parts(host), host)

    def apply(self, host: Host) -> None:
        unmount_outside(host)
        make_right(self._parts(host), host)


def refuse_loners(names: list[str]) -> None:
    if names:
        raise StepFailed(
            f"{names[0]} uses the share, and nobody would start it again",
            "wait until it has ended, or delete it; then run the same command again",
        )
