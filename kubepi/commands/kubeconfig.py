"""The admin's credentials for kubectl on a laptop, by this master's address."""

import argparse

from kubepi.cluster.kubectl import ADMIN
from kubepi.commands import changing
from kubepi.errors import NoGoal
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.names import own_address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="NAME", help="address or name to reach the master at")


def run(args: argparse.Namespace, host: Host) -> int:
    """A laptop does not know the API's name: it gets the address, and `tls-server-name`."""
    import yaml

    changing.need_root(host, "kubeconfig", dry_run=False)
    goal = state.load_goal(host)
    text = host.read(ADMIN)
    if goal is None or text is None:
        raise NoGoal("this Pi is no master", "run kubepi kubeconfig on the master")
    config = yaml.safe_load(text)
    cluster = config["clusters"][0]["cluster"]
    cluster["server"] = f"https://{args.server or own_address(host, goal)}:6443"
    cluster["tls-server-name"] = goal.api_name
    print(yaml.safe_dump(config, sort_keys=False), end="")
    return 0
