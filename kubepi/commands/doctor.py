"""Look for what is wrong: preflight, drift, services, the clock, the LAN; each with its cure."""

import argparse
import json
from dataclasses import asdict

from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.report.ailments import examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, host: Host) -> int:
    """0 if nothing is wrong, else 1."""
    only_looks = ReadOnlyHost(host.root, host.log)
    found = examine(only_looks)
    if args.json:
        print(json.dumps([asdict(ailment) for ailment in found], indent=1))
    elif not found:
        print("nothing is wrong")
    else:
        for ailment in found:
            print(f"{ailment.name}: {ailment.sentence}\n  cure: {ailment.cure}")
    return 1 if found else 0
