"""The cgroups of the nodes: their own part of every controller, and the one sure list of what runs.

Each node is MARK/NODE below this process's own cgroup, in every hierarchy, systemd's own and the
unified one included: nodes that shared one would stop each other's services. Its container is
below MARK/NODE/machine. A process cannot leave that, so that these folders say exactly what
belongs to a lab, whoever started it.
"""

import errno
import os
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from labrun import LabError, wait_until

ROOT = Path("/sys/fs/cgroup")
NEEDED = ("memory", "freezer", "pids", "cpuset")
UNIFIED = "unified"
MACHINE = "machine"
FREEZE_SECONDS = 2
DIE_SECONDS = 120  # one that waits for a busy disk dies when its write is done


def places(process: str) -> dict[str, Path]:
    """The folder of a process's cgroup in each hierarchy: all of v1, and the unified one."""
    found: dict[str, Path] = {}
    for line in Path("/proc", process, "cgroup").read_text().splitlines():
        _, name, path = line.split(":", 2)
        name = name.removeprefix("name=") or UNIFIED
        if (ROOT / name).is_dir():
            found[name] = ROOT / name / path.strip("/")
    return found


def own_places() -> dict[str, Path]:
    own = places("self")
    if missing := [name for name in NEEDED if name not in own]:
        raise LabError(f"no cgroup v1 controller at {ROOT}: {', '.join(missing)}")
    return own


def join_container(leader: int) -> None:
    """Move this process to where a container's first process is, out of its init.scope."""
    there = places(str(leader)).values()
    join(place.parent if place.name == "init.scope" else place for place in there)


def folders(mark: str) -> list[Path]:
    """All cgroups of that name, in every controller, whoever's child they are."""
    found: list[Path] = []
    for folder, below, _ in os.walk(ROOT):
        if mark in below:
            found.append(Path(folder, mark))
        below[:] = [name for name in below if not name.startswith("kubepi-lab-")]
    return sorted(found)


def node_folders(mark: str, node: str) -> list[Path]:
    return [folder / node for folder in folders(mark) if (folder / node).is_dir()]


def make(mark: str, node: str) -> list[Path]:
    """The cgroups of a node, made where they are missing; where its lab has some, below those."""
    homes = {folder.relative_to(ROOT).parts[0]: folder for folder in folders(mark)}
    made = []
    for controller, own in own_places().items():
        home = homes.get(controller, own / mark)
        for folder in (home, home / node, home / node / MACHINE):
            make_one(folder, controller)
        made.append(home / node)
    return made


def make_one(folder: Path, controller: str) -> None:
    if folder.is_dir():
        return
    folder.mkdir()
    if controller == "cpuset":
        for name in ("cpuset.cpus", "cpuset.mems"):
            (folder / name).write_text((folder.parent / name).read_text())
        (folder / "cgroup.clone_children").write_text("1")


def join(cgroups: Iterable[Path]) -> None:
    """Move this process into all of them."""
    for folder in cgroups:
        (folder / "cgroup.procs").write_text(str(os.getpid()))


def processes(cgroups: Iterable[Path]) -> set[int]:
    found: set[int] = set()
    for top in cgroups:
        for folder, _, _ in os.walk(top):
            try:
                found.update(map(int, Path(folder, "cgroup.procs").read_text().split()))
            except OSError:
                continue  # removed while we looked
    return found


def kill(cgroups: list[Path]) -> None:
    """Kill all processes in them at one instant: none sees another one die first."""
    freezers = [folder / "freezer.state" for folder in cgroups]
    freezers = [file for file in freezers if file.exists()]
    for file in freezers:
        file.write_text("FROZEN")
    wait_until(lambda: all(frozen(file) for file in freezers), FREEZE_SECONDS)

    def gone() -> bool:
        left = processes(cgroups) - {os.getpid()}
        for process in left:
            kill_one(process)
        for folder in cgroups:
            thaw(folder)
        return not left

    if not wait_until(gone, DIE_SECONDS):
        raise LabError(f"processes outlive SIGKILL: {sorted(processes(cgroups))}")


def thaw(top: Path) -> None:
    """All below, too: runc freezes a container of its own accord while it starts it."""
    for folder, _, files in os.walk(top):
        if "freezer.state" in files:
            try:
                Path(folder, "freezer.state").write_text("THAWED")
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENODEV):  # removed while we looked
                    raise


def frozen(file: Path) -> bool:
    return file.read_text().strip() == "FROZEN"


def kill_one(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return  # ended by itself


def remove(cgroups: Iterable[Path]) -> None:
    """Remove cgroups without processes; the kernel may need a moment after the last one ended."""
    for top in cgroups:
        if not wait_until(partial(removed, top), DIE_SECONDS):
            raise LabError(f"the cgroup {top} cannot be removed")


def removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
