"""What is in the way of a share, found before anything is changed; looks only.

Tests: tests/steps/test_share.py.
"""

from kubepi.decide.goal import Goal
from kubepi.decide.share import MASTER
from kubepi.errors import NotYet, StepFailed
from kubepi.machine.disks import WIPE, Problem, content_of_disk, described, mount_problem
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.steps.kubeadm import node_name
from kubepi.steps.share import LABEL


def share_problem(host: Host, goal: Goal) -> Problem | None:
    """For a master's first run; later what is there is kubepi's own."""
    server, path, device, mount = (
        str(goal.settings[f"storage.nfs.{name}"]) for name in ("server", "path", "device", "mount")
    )
    if server == "none" or goal.role != "master" or followed_share(host) is not None:
        return None
    if server in (MASTER, node_name(host)):
        problem = folder_problem(host, path) or (disk_problem(host, device) if device else None)
        if problem is not None:
            return problem
    return mount_problem(host, mount)


def folder_problem(host: Host, path: str) -> Problem | None:
    if host.exists(path) and not host.is_dir(path):
        return f"{path} is a file", "move it away, or name another folder"
    return None


def disk_problem(host: Host, disk: str) -> Problem | None:
    """For a disk that is to be the share's: empty, or the share's already."""
    try:
        content = content_of_disk(host, disk)
    except NotYet:
        return f"there is no disk {disk}", "ls -l /dev/disk/by-id lists those that are there"
    except StepFailed as error:
        return error.sentence, error.hint
    if content and content.get("LABEL") != LABEL:
        return f"{disk} holds {described(content)}", WIPE + disk
    return None
