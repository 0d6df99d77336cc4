"""The versions of Kubernetes that there are to upgrade to: of the kit or the repository.

Looks only. Tests: tests/steps/test_upgrade_problems.py.
"""

import re

from kubepi.decide.goal import Goal
from kubepi.decide.proxy import proxy_of
from kubepi.decide.upgrade import minor_of, next_minor
from kubepi.errors import StepFailed
from kubepi.machine.host import Host
from kubepi.machine.kitfiles import open_kit
from kubepi.machine.web import fetch
from kubepi.steps.repository import NOT_THERE

LARGEST = 8 * 2**20  # bytes; the index of a minor has all its patches, for all architectures


def offered(host: Host, goal: Goal, own: str) -> tuple[str, ...]:
    """With their leading v; of the repository those of this minor and of the next.

    Raises:
        KubepiError: there is no such kit, or the repository does not answer.
    """
    kit = goal.settings["downloads.kit"]
    if kit:
        return open_kit(host, kit).versions
    found = [_of_minor(goal, minor) for minor in (minor_of(own), next_minor(own))]
    return tuple(version for versions in found for version in versions)


def _of_minor(goal: Goal, minor: str) -> list[str]:
    """From the index that apt reads too; apt checks its signature before it installs anything."""
    url = goal.settings["downloads.kubernetes_repository"].replace("{minor}", minor) + "Packages"
    answer = fetch(url, proxy_of(goal.settings), largest=LARGEST)
    if answer.status in NOT_THERE:
        return []
    if answer.status != 200:
        raise StepFailed(
            f"{url} answered with an error ({answer.status})",
            "look at downloads.kubernetes_repository, or use an offline kit with --kit DIR",
        )
    return kubeadm_versions(answer.text)


def kubeadm_versions(index: str) -> list[str]:
    """Of the stanzas of a Packages file, those of kubeadm."""
    form = r"^Package: kubeadm\n(?:[^\n]+\n)*?Version: (\d+\.\d+\.\d+)-"
    return sorted({f"v{version}" for version in re.findall(form, index, re.MULTILINE)})
