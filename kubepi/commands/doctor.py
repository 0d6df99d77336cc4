"""Look for what is wrong: preflight, drift, services, the clock, the LAN; each with its cure.

With --bundle: an archive of what all nodes say, for whoever helps.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from kubepi.commands import changing
from kubepi.commands.bundling import bundle
from kubepi.decide.goal import Goal
from kubepi.decide.plan import certificates
from kubepi.machine import state
from kubepi.machine.bundles import write_bundle
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.reconcile import Options, reconcile_up, run_beside
from kubepi.report.ailments import CERTIFICATES, GOAL, Ailment, examine
from kubepi.report.support import collect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--bundle", metavar="FILE", help="an archive for whoever helps, of all nodes; no secrets"
    )
    parser.add_argument("--here", action="store_true", help="with --bundle: of this node alone")
    either.add_argument(
        "--fix", nargs="?", const="all", choices=["all", CERTIFICATES, GOAL],
        help="cure what has a safe cure: all of it, certificates, or the goal of this node",
    )  # fmt: skip
    changing.add_run_options(parser)


def run(args: argparse.Namespace, host: Host) -> int:
    """0 if nothing is wrong, else 1; of an archive: 0 when it is written."""
    if args.bundle is not None:
        changing.need_root(host, "doctor --bundle", dry_run=False)
        own_part, file = collect(_closed(host)), str(Path(args.bundle).absolute())
        if args.here:
            write_bundle(host, file, own_part)
        else:
            bundle(host, own_part, file)
        return 0
    if args.fix is not None:
        changing.need_root(host, "doctor --fix", args.dry_run)
        _fix(args.fix, host, changing.options(args))
    found = _look(host)
    if args.json:
        print(json.dumps([asdict(ailment) for ailment in found], indent=1))
    else:
        print("\n".join(_told(found)) or "nothing is wrong")
    return 1 if found else 0


def _fix(wanted: str, host: Host, options: Options) -> None:
    """Certificates first: without them no API answers that the rest could ask."""
    cures: dict[str, Callable[[Goal], object]] = {
        CERTIFICATES: lambda goal: run_beside(
            "doctor --fix", certificates.plan(goal), host, options
        ),
        GOAL: lambda goal: reconcile_up(goal, host, options),
    }
    for fix, cure in cures.items():
        if wanted not in ("all", fix):
            continue
        goal = state.load_goal(host)
        found = [ailment for ailment in _look(host) if ailment.fix == fix]
        if found and goal is not None:
            print("\n".join(_told(found)), file=sys.stderr)
            cure(goal)


def _look(host: Host) -> list[Ailment]:
    return examine(_closed(host))


def _closed(host: Host) -> ReadOnlyHost:
    return ReadOnlyHost(host.root, host.log)


def _told(found: Sequence[Ailment]) -> list[str]:
    return [f"{one.name}: {one.sentence}\n  cure: {one.cure}" for one in found]
