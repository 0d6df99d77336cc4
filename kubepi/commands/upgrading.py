"""One node brought to another version: noted, looked at, done, and then to its goal as ever.

Tests: tests/unit/test_upgrade_command.py, tests/lab/test_upgrade.py.
"""

import sys
from collections.abc import Sequence

from kubepi.cluster import kubectl
from kubepi.commands.spreading import made_lately, spread
from kubepi.decide.backup import file_name
from kubepi.decide.goal import Goal
from kubepi.decide.plan import backup, upgrade
from kubepi.decide.upgrade import AGAIN, OS, Upgrade
from kubepi.errors import (
    KubepiError,
    LockHeld,
    NotYet,
    PreflightFailed,
    RebootNeeded,
    StepFailed,
)
from kubepi.lan.peers import wait_for_master
from kubepi.machine import state, upgrading
from kubepi.machine.first_master import first_master
from kubepi.machine.host import Host
from kubepi.machine.lock import locked
from kubepi.machine.runner import PROGRESS
from kubepi.machine.step import Step
from kubepi.reconcile import Options, reconcile, run_beside
from kubepi.steps.upgrade_problems import need_right
from kubepi.steps.upgrading import is_begun

ANSWER = 600.0
CLUSTER = 120.0  # seconds for nodes that come back from a boot
ROLLING = 3600.0  # seconds that masters before this one may have taken
LONGEST = 7200.0  # seconds for an upgrade that `resume` is at


def is_noted(host: Host) -> bool:
    return upgrading.load(host) is not None


def go_on(host: Host, goal: Goal, options: Options) -> None:
    """Also with one that was wished for while another one ended."""
    while (found := upgrading.load(host)) is not None:
        upgrade_node(host, goal, found, options)


def upgrade_node(host: Host, goal: Goal, wanted: Upgrade, options: Options) -> None:
    """
    Raises:
        PreflightFailed: something is in the way, and nothing was changed; StepFailed and others,
            which are in the advert until the next attempt; LockHeld.
    """
    if options.dry_run:
        need_right(host, goal, wanted)
        _back_up(host, goal, wanted, options)
        run_beside("upgrade", upgrade.plan(goal, wanted), host, options)
        return
    goes_on = is_noted(host)
    if goes_on:
        _wait_after_boot(host, goal)
    else:
        need_right(host, goal, wanted)
    with locked(host, "upgrade", waits=False):
        found = upgrading.begin(host, wanted)
    try:
        (_need_right_soon if goes_on else need_right)(host, goal, found)
        _back_up(host, goal, found, options)
        _run(host, "upgrade", upgrade.plan(goal, found), options)
        if not is_noted(host):
            return
        upgrading.note(host, over=True)
        reconcile(goal, host, options)
    except (LockHeld, RebootNeeded):
        raise
    except KubepiError as error:
        upgrading.note_failure(host, error)
        raise
    upgrading.forget(host)


def _run(host: Host, verb: str, plan: Sequence[Step], options: Options) -> None:
    """After a boot `resume` and a command may both begin it: who was slower has nothing to do."""
    run_beside(verb, plan, host, options, lambda: is_noted(host))


def _back_up(host: Host, goal: Goal, found: Upgrade, options: Options) -> None:
    """Kubernetes has no way back but a backup; one is enough, however often it is tried.

    Of several masters the one that is upgraded first makes it.
    """
    if goal.role != "master" or found.version == OS or found.backup or is_begun(host):
        return
    if not goal.makes_cluster and (made_lately(host, ROLLING) or not _knows_the_first(host)):
        return
    name = file_name(str(goal.settings["cluster.name"]), host.now())
    plan = backup.plan(name, int(goal.settings["backup.keep"]))
    _run(host, "backup", plan, options)
    if is_noted(host) and not options.dry_run:
        upgrading.note(host, backup=name)
        spread(host, name)


def _knows_the_first(host: Host) -> bool:
    """A further master goes on from a backup of the first one, which may be gone for ever."""
    try:
        first_master(host)
    except StepFailed as error:
        host.say(f"warning: no backup before the upgrade: {error.sentence}")
        return False
    return True


def _wait_after_boot(host: Host, goal: Goal) -> None:
    if is_begun(host):
        return
    host.wait_until("the API", lambda: kubectl.is_ready(host), ANSWER, 2.0)
    if goal.role == "worker":
        wait_for_master(host, ANSWER)


def _need_right_soon(host: Host, goal: Goal, found: Upgrade) -> None:
    """As `need_right`, asked again of nodes that may boot as well, this one among them.

    Its answer is what counts, and not one of before: the API calls a node that was cut Ready until
    it has missed its signs of life, and then not Ready until it has booted.
    """
    said: list[PreflightFailed] = []

    def problem() -> str | None:
        said.clear()
        try:
            need_right(host, goal, found)
        except NotYet as missing:
            return f"no answer from {missing.what}"
        except PreflightFailed as error:
            said.append(error)
            return error.sentence
        return None

    try:
        host.wait_until("the cluster", problem, CLUSTER, 2.0)
    except StepFailed:
        if said:
            raise said[0] from None
        raise


def upgrade_or_follow(host: Host, goal: Goal, wanted: Upgrade, options: Options) -> None:
    """As `upgrade_node`; after a boot `resume` may be at it already, and is watched then."""
    try:
        upgrade_node(host, goal, wanted, options)
    except LockHeld:
        if not is_noted(host):
            raise
        print("This node goes on with its upgrade by itself; waiting for it …", file=sys.stderr)
        host.wait_until("the upgrade", lambda: _seen(host), LONGEST, 2.0)


def _seen(host: Host) -> str | None:
    found = upgrading.load(host)
    if found is None:
        return None
    if found.failed:
        raise StepFailed(f"the upgrade failed: {found.failed}", AGAIN)
    report = state.read_json(host, PROGRESS) or {}
    return f"{report.get('percent', 0)} % {report.get('step', '')}"
