"""What is in the way of a share, found before anything is changed; looks only.

Tests: tests/steps/test_share.py.
"""

from kubepi.decide.goal import Goal
from kubepi.decide.share import MASTER, NONE
from kubepi.machine.disks import Problem, disk_problem, folder_problem, mount_problem
from kubepi.machine.host import Host
from kubepi.machine.state import followed_share
from kubepi.steps.kubeadm import node_name
from kubepi.steps.share import LABEL


def share_problem(host: Host, goal: Goal) -> Problem | None:
    """For a master's first run; later what is there is kubepi's own."""
    server, path, device, mount = (
        str(goal.settings[f"storage.nfs.{name}"]) for name in ("server", "path", "device", "mount")
    )
    if server == NONE or goal.verb != "init" or followed_share(host) is not None:
        return None
    if server in (MASTER, node_name(host)):
        disk = disk_problem(host, device, LABEL) if device else None
        problem = folder_problem(host, path) or disk
        if problem is not None:
            return problem
    return mount_problem(host, mount)
