"""What a further master knows of the one that made the cluster: its newest backup that lies here.

Only the first master can be restored: the votes, the share and the add-ons of kubepi.yaml are its
matter. Looks only. Tests: tests/steps/test_backups.py.
"""

import json
from dataclasses import dataclass

from kubepi.decide.backup import Manifest
from kubepi.errors import KubepiError, StepFailed
from kubepi.machine import state
from kubepi.machine.archive import read_files
from kubepi.machine.backups import BACKUPS, COPIES, kept_in
from kubepi.machine.certificates import PKI
from kubepi.machine.host import Host

CA = f"{PKI}/ca.crt"


@dataclass(frozen=True)
class FirstMaster:
    """It at its last backup; `files`: path -> content."""

    manifest: Manifest
    files: dict[str, bytes]


def first_master(host: Host) -> FirstMaster:
    """
    Raises:
        StepFailed: no backup of it is here that is whole.
    """
    kept = [*kept_in(host, BACKUPS), *kept_in(host, COPIES)]
    for one in sorted(kept, key=lambda one: one.path.name, reverse=True):
        if one.manifest is None:
            continue  # damaged: `backup list` says so
        try:
            files = read_files(one.path, lambda name: True)
        except KubepiError:
            continue
        goal = json.loads(files.get(state.GOAL, b"{}"))
        # its id is no sign: who joined after a change of the token has another one
        if files.get(CA) == host.read_bytes(CA) and goal.get("verb") == "init":
            return FirstMaster(one.manifest, files)
    raise StepFailed(
        "no backup of the master that made the cluster lies here to go on from",
        "sudo kubepi backup there; the other masters get its copies first",
    )
