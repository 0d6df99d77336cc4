"""`upgrade --self`: another kubepi.pyz in the place of the one that is here, then on all nodes.

The others fetch it from this node's depot, one after the other, once it runs here.
Tests: tests/unit/test_replacing.py, tests/lab/test_upgrade.py.
"""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

from kubepi.commands.whole import Others
from kubepi.decide import wish as wishes
from kubepi.decide.disabled import DISABLED, members
from kubepi.decide.plan import common
from kubepi.errors import CommandFailed, KubepiError, PreflightFailed, StepFailed, UsageError
from kubepi.lan.depot import fetch_text, own_key
from kubepi.lan.peers import read_peers
from kubepi.lan.wishing import asked
from kubepi.log import LOG_FILE
from kubepi.machine import disabled, state
from kubepi.machine.host import Host
from kubepi.machine.pyz import Pyz, read_pyz
from kubepi.reconcile import Options, run_beside
from kubepi.resources import own_file
from kubepi.steps.install import FILE, RESUME

PYTHON = "/usr/bin/python3"
RUNS_SECONDS = 60.0
TAKES_SECONDS = 180.0
OWN_PLAN_SECONDS = 1800.0


def replace_self(args: argparse.Namespace, host: Host) -> int:
    file = Path(os.path.abspath(args.kubepi))  # noqa: PTH100 - no symlink is to be resolved
    new = _checked(host, file, args.force)
    others = {} if args.here or state.load_goal(host) is None else _others(args, host, new)
    if own_file() == str(file):
        _install(args, host, new)
    else:
        # it knows its own units and its own plan
        argv = [PYTHON, "-I", str(file), "upgrade", "--self", str(file), "--here"]
        argv += ["--force"] * args.force + ["--dry-run"] * args.dry_run
        print(host.run(argv, timeout=OWN_PLAN_SECONDS + RUNS_SECONDS).stdout, end="")
    for name, address in others.items():
        if args.dry_run:
            print(f"would give it to {name}")
        else:
            hand_on(host, name, address, new)
            print(f"{name} has it too.")
    return 0


def _install(args: argparse.Namespace, host: Host, new: Pyz) -> None:
    plan = common.kubepi_itself(own_file())
    run_beside("upgrade --self", plan, host, Options(dry_run=args.dry_run))
    if not args.dry_run:
        let_it_go_on(host)
        print(f"This Pi has kubepi {new.version} ({new.sha256[:12]}) now.")


def let_it_go_on(host: Host) -> None:
    """What its plan has besides: settings and add-ons of its own."""
    goal = state.load_goal(host)
    if goal is None or not goal.is_member or disabled.load(host) is not None:
        return
    host.write(state.PENDING, "", 0o600)
    host.run(["systemctl", "start", "--no-block", RESUME])
    host.wait_until("the new kubepi", lambda: _still_at_it(host), OWN_PLAN_SECONDS, 2.0)


def _still_at_it(host: Host) -> str | None:
    return None if state.goal_reached(host) else "it brings this Pi to its own plan"


def _checked(host: Host, file: Path, forced: bool) -> Pyz:
    new = read_pyz(file)
    if host.exists(FILE):
        _need_newer(new, read_pyz(host.path(FILE)), "the one that is here", forced)
    said = host.probe([PYTHON, "-I", str(file), "--version"], timeout=RUNS_SECONDS)
    if not said.ok or said.stdout.split() != ["kubepi", new.version]:
        error: CommandFailed = host.failure(said, RUNS_SECONDS)
        raise UsageError(f"{file} does not run on this Pi: {error.sentence}", "nothing was changed")
    return new


def _need_newer(new: Pyz, there: Pyz, whose: str, forced: bool) -> None:
    if new.age < there.age and not forced:
        raise PreflightFailed(
            f"it is kubepi {new.version}, older than {whose} ({there.version})",
            "--force takes it all the same",
        )


def _others(args: argparse.Namespace, host: Host, new: Pyz) -> Mapping[str, str]:
    """Name -> address of the nodes that have another one; asked before anything is changed."""
    others = Others(host, args.yes)
    others.name_the_silent()
    found = {}
    for advert in (peer.advert for peer in members(read_peers(host))):
        if advert.node in others.given_up:
            continue
        there = kubepi_of(host, advert.address)
        _need_newer(new, there, f"that of {advert.node}", args.force)
        if there.sha256 != new.sha256:
            found[advert.node] = advert.address
    return found


def kubepi_of(host: Host, address: str) -> Pyz:
    """
    Raises:
        KubepiError: that node does not answer.
    """
    return Pyz(**json.loads(fetch_text(host, own_key(host), address, "kubepi")))


def hand_on(host: Host, name: str, address: str, new: Pyz) -> None:
    """
    Raises:
        StepFailed: that node does not take it, or does not come to its goal with it.
    """
    try:
        with asked(host, wishes.TAKE_KUBEPI, [name], new.sha256[: len(new.sha256) // 2]):
            host.wait_until(
                f"{name} to take it", lambda: _lacks(host, address, new), TAKES_SECONDS, 2.0
            )
        host.wait_until(name, lambda: _unready(host, name), OWN_PLAN_SECONDS, 2.0)
    except StepFailed as error:
        hint = f"{LOG_FILE} on {name} says more; the same command goes on"
        raise StepFailed(error.sentence, hint) from None


def _lacks(host: Host, address: str, new: Pyz) -> str | None:
    try:
        there = kubepi_of(host, address)
    except KubepiError as error:
        return error.sentence  # its agent is started anew
    return None if there == new else f"it has {there.version} ({there.sha256[:12]})"


def _unready(host: Host, name: str) -> str | None:
    said = [p.advert for p in members(read_peers(host)) if p.advert.node == name]
    if any(advert.state in ("ready", DISABLED) for advert in said):
        return None
    return " ".join(f"{advert.state} {advert.progress}" for advert in said) or "it is not heard"
