"""This node against its goal, and the cluster as the API sees it; exit 1 if there is drift."""

import argparse
import json
from dataclasses import asdict

from kubepi.decide.goal import Goal
from kubepi.errors import NoGoal, UsageError
from kubepi.machine import state
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.report.status import Status, gather
from kubepi.report.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, host: Host) -> int:
    goal = state.load_goal(host) if host.uid() == 0 or str(host.root) != "/" else _unreadable()
    if goal is None:
        raise NoGoal(
            "this Pi was not told what to be yet", "sudo kubepi init or sudo kubepi join tells it"
        )
    status = gather(goal, ReadOnlyHost(host.root, host.log))
    if args.json:
        print(json.dumps(asdict(status), indent=1))
    else:
        show(status)
    return 1 if status.drift or status.state not in ("ready", "disabled") else 0


def _unreadable() -> Goal | None:
    raise UsageError("only root can read what this Pi should be", "run: sudo kubepi status")


def show(status: Status) -> None:
    print(f"{status.node}: {status.role} of {status.cluster!r}, {status.state} {status.version}")
    if status.progress:
        print(f"  {status.progress}")
    for step, finding in status.drift.items():
        print(f"  not as wanted: {step}: {finding}")
    if status.share:
        print(f"share: {status.share}")
    if status.certificates:
        print(f"certificates: the first one {status.certificates}")
    if status.cluster_nodes:
        rows = [("NODE", "ROLE", "STATE", "VERSION", "ADDRESS"), *status.cluster_nodes]
        print("\n".join(table(rows)))
    else:
        print(f"the API says nothing: {status.silent}")
