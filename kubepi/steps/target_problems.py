"""What is in the way of a place that the share is to move to, found before anything is changed.

A NAS is mounted to look at it, for a moment; else this only looks.
Tests: tests/unit/test_moving_command.py.
"""

from kubepi.decide.goal import Goal
from kubepi.decide.move import Place
from kubepi.decide.share import CHECKS, NONE, NOT_DATA, is_address
from kubepi.errors import StepFailed
from kubepi.machine.disks import (
    Problem,
    disk_problem,
    folder_problem,
    mount_problem,
    size_of_disk,
)
from kubepi.machine.host import Host
from kubepi.steps.copying import OUTSIDE, OutsideMounted, folder_of, unmount_outside
from kubepi.steps.packages import AptPackages

SPARE = 1.05  # a file system keeps something for itself


def target_problem(host: Host, goal: Goal, source: Place, target: Place) -> Problem | None:
    """A sentence and its cure."""
    mount = str(goal.settings["storage.nfs.mount"])
    if source.server == NONE:
        problem = mount_problem(host, mount)
        if problem is not None:
            return problem
    elif target.where == source.where:
        return "it is there already", "name another place"
    if is_address(target.server):
        return _nas_problem(host, goal, source, target)
    at = Place(target.server, mount)
    near = [other for other in (source, at) if other.server != NONE]
    if any(target.is_within(other) or other.is_within(target) for other in near):
        return f"{target.path} is in what is shared now, or around it", "name a folder beside it"
    if target.device:
        # an older share's disk is one with data, too
        return disk_problem(host, target.device) or _room_problem(
            host, source, size_of_disk(host, target.device)
        )
    problem = folder_problem(host, target.path)
    if problem is None and host.listdir(target.path):
        problem = f"{target.path} is not empty", "name an empty folder, or one that is not there"
    return problem or _room_problem(host, source, host.free_bytes(target.path))


def _nas_problem(host: Host, goal: Goal, source: Place, target: Place) -> Problem | None:
    """It answers, lets this Pi write, is empty, and has room."""
    tools = AptPackages(("nfs-common",), str(goal.settings["downloads.kit"]))
    mounted = OutsideMounted(f"{target.server}:{target.path}")
    try:
        if tools.check(host) is not None:
            tools.apply(host)
        mounted.apply(host)
        there = sorted({*host.listdir(OUTSIDE)} - {*NOT_DATA})
        if there:
            return f"{there[0]} is in it, and a share begins empty", "name an empty folder of it"
        host.run(["mkdir", "-p", str(host.path(f"{OUTSIDE}/{CHECKS}"))])
        return _room_problem(host, source, host.free_bytes(OUTSIDE))
    except StepFailed as error:
        return error.sentence, error.hint
    finally:
        unmount_outside(host)


def _room_problem(host: Host, source: Place, free: int) -> Problem | None:
    if source.server == NONE:
        return None
    folder = folder_of(host, source)
    used = host.probe(["du", "-sx", "--block-size=1", str(host.path(folder))], timeout=600)
    needed = int(int((used.stdout.split() or ["0"])[0]) * SPARE)
    if needed < free:
        return None
    return (
        f"it needs {needed // 10**6} MB, and {free // 10**6} MB are free there",
        "name a larger place (--to /dev/disk/by-id/…)",
    )
