"""Certificates of a node: renewed before they end, made anew where they have ended.

The agent's job does it before, `doctor --fix` after; it is a part of init and join, too, so that
a node which was interrupted in it goes on at the next boot.
"""

from kubepi import BUILT
from kubepi.decide.goal import Goal
from kubepi.machine.step import Step
from kubepi.steps.certificates import AdminKubeconfigRenewed, ControlPlaneCertificates
from kubepi.steps.clock import ClockNotBehind, TimeSane
from kubepi.steps.control_plane_address import ControlPlaneAddressed
from kubepi.steps.kubelet_certificate import KubeletCertificate
from kubepi.steps.waits import ApiReady, NodeReady


def plan(goal: Goal) -> list[Step]:
    if goal.role != "master":
        return [TimeSane(BUILT), ClockNotBehind(), *of_node(goal), NodeReady()]
    homes = [AdminKubeconfigRenewed("/root")]
    if goal.admin is not None:
        homes.append(AdminKubeconfigRenewed(goal.admin.home, goal.admin.uid, goal.admin.gid))
    return [TimeSane(BUILT), *of_node(goal), *homes, ApiReady(), NodeReady()]


def of_node(goal: Goal) -> list[Step]:
    """What kubelet and a control plane come up with, also after a year, at another address.

    The kubelet's certificate comes first: without it no component of a control plane starts.
    """
    if goal.role != "master":
        return [KubeletCertificate(goal)]
    return [ControlPlaneAddressed(goal), KubeletCertificate(goal), ControlPlaneCertificates(goal)]
