"""The one path of every command that changes this Pi: lock, facts, preflight, goal, plan, run.

A dry run takes the same path with a read-only host. Tests: tests/laws, tests/artefact.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from kubepi import BUILT
from kubepi.cardlog import card_log
from kubepi.decide import preflight
from kubepi.decide.disabled import Disabled
from kubepi.decide.facts import Facts
from kubepi.decide.goal import TOKEN, Goal, Secret
from kubepi.decide.masters import becomes_master
from kubepi.decide.plan import disable, enable, hook, make_plan, move
from kubepi.errors import KubepiError, PreflightFailed, RebootNeeded, UsageError
from kubepi.lan.peers import read_peers, the_master
from kubepi.log import LOG_FILE
from kubepi.machine import disabled, rotation, state, upgrading
from kubepi.machine.facts import look
from kubepi.machine.fitness import own_rank
from kubepi.machine.host import Host, ReadOnlyHost
from kubepi.machine.lock import locked
from kubepi.machine.records import installed_addons
from kubepi.machine.runner import Counts, preview, run_plan
from kubepi.machine.step import Step
from kubepi.resources import own_file
from kubepi.steps.moving import load_move
from kubepi.steps.node_data import node_data_problem
from kubepi.steps.share_problems import share_problem
from kubepi.terminal import Terminal

ON_THE_WAY = ("up", "restore")  # goals that lead to another one


@dataclass(frozen=True)
class Options:
    """How, not what: from the command line of the commands that change something."""

    dry_run: bool = False
    reboot: bool = False
    ignore: Sequence[str] = ()
    given: str | None = None  # a token, by a person
    configured: str | None = None  # that of a kubepi.yaml
    quiet_ok: bool = False


@dataclass(frozen=True)
class Done:
    """How a run ended that did not fail."""

    counts: Counts
    was_reached: bool


def reconcile(goal: Goal, host: Host, options: Options) -> Done:
    """Bring this Pi to `goal`.

    Raises:
        PreflightFailed: it cannot be that; LockHeld; RebootNeeded; StepFailed and others.
    """
    if options.dry_run:
        return _preview(goal, ReadOnlyHost(host.root, host.log), options)
    if move_is_on(host) and goal.verb != "reset":
        raise UsageError(
            "the share is on its way to another place",
            "sudo kubepi storage migrate --to … lets it end, --cancel goes back",
        )
    if disabled.is_disabled(host) and goal.verb != "reset":
        raise UsageError("this node is disabled", "sudo kubepi enable brings it back")
    if upgrading.is_on(host) and goal.verb != "reset":
        raise UsageError("this node is being upgraded", "sudo kubepi upgrade lets that end")
    with locked(host, goal.verb):
        was_reached = state.load_goal(host) == goal and state.goal_reached(host)
        facts = look(host)
        _preflight(goal, facts, host, options)
        rotation.accept(host, options.given, None if was_reached else options.configured)
        if not was_reached:
            state.save_goal(host, goal)
        host.log.line(f"run {goal.verb} on {facts.host_name}")
        counts = _run(goal, facts, host, options, was_reached)
        if goal.verb not in (*ON_THE_WAY, "reset"):
            state.mark_reached(host)
    if goal.verb == "reset":
        reboot = _say_reboot(host) and options.reboot
        host.remove_tree(state.RUN)
        if reboot:
            host.run(["systemctl", "reboot"])
    return Done(counts, was_reached)


def reconcile_up(goal: Goal, host: Host, options: Options) -> Done:
    """As `reconcile`; a goal that leads to another one is gone on with until that is reached."""
    if goal.verb not in ON_THE_WAY:
        return reconcile(goal, host, options)
    done = reconcile(goal, host, options)
    # the token was taken, and may have been changed since
    rest = replace(options, given=None, configured=None)
    return done if options.dry_run else reconcile(decided(goal, host), host, rest)


def prepare_first_boot(
    goal: Goal, host: Host, secrets: Mapping[str, str], keep_token: bool
) -> Counts:
    """What the hook of a prepared card does; after the reboot `resume` goes on with the goal."""
    with locked(host, "hook"):
        for name, value in secrets.items():
            if name == TOKEN.name:
                rotation.take(host, value)  # the card may be older than the last change of it
            else:
                state.save_secret(host, Secret(name), value)
        facts, progress = look(host), Terminal()
        if _is_of_another_cluster(host, facts):
            foreign = preflight.FOREIGN_CLUSTER
            raise PreflightFailed(foreign.sentence, foreign.cure)
        if state.load_goal(host) != goal:
            state.save_goal(host, goal)
        host.log.line(f"run hook on {facts.host_name}")
        start = time.monotonic()
        counts = run_plan(hook.plan(goal, facts, own_file(), keep_token), host, progress)
        progress.summary(counts, time.monotonic() - start)
        return counts


def decided(goal: Goal, host: Host) -> Goal:
    """What the election made of "up": the master of a new cluster, or a member of the one there.

    What was restored is the master that it was.
    """
    if goal.verb == "restore":
        return replace(goal, verb="init", was=None)
    decision = state.read_json(host, state.ELECTION)
    if decision["verdict"] == "lead":
        return replace(goal, verb="init", was=None)
    settings = {**goal.settings, "cluster.name": the_master(host).cluster}
    rank = own_rank(look(host), settings, host)
    peers, node = read_peers(host), (host.read(state.NODE_ID) or "").strip()
    as_master = becomes_master(settings, node, rank, peers, host.monotonic())
    return replace(goal, verb="join", was=None, settings=settings, as_master=as_master)


def reconcile_move(host: Host, options: Options) -> Done:
    """Go on with a move of the share to its end, then with all that rests on the share."""
    goal = state.load_goal(host)
    assert goal is not None, "a move is made by a master"
    plan = move.plan(str(goal.settings["downloads.kit"]))
    with locked(host, "storage migrate"):
        host.log.line("run storage migrate")
        _run_plan(plan, host, options, Terminal(quiet_ok=options.quiet_ok))
    return reconcile(state.load_goal(host) or goal, host, options)


def reconcile_disabled(host: Host, wanted: Disabled, options: Options) -> None:
    """Bring this node to a stop, and keep it there until it is enabled, or until the next boot."""
    goal = state.load_goal(host)
    assert goal is not None, "only a node of a cluster is disabled"
    if options.dry_run:
        _preview_plan(disable.plan(goal, wanted), ReadOnlyHost(host.root, host.log), options)
        return
    with locked(host, "disable"):
        disabled.begin(host, wanted)
        host.log.line("run disable")
        _run_plan(disable.plan(goal, wanted), host, options, Terminal(quiet_ok=options.quiet_ok))
        host.sync()
        disabled.mark_done(host)


def reconcile_first(host: Host, wanted: Disabled, plan: Sequence[Step]) -> None:
    """What comes before the rest of a plan, which waits for other nodes."""
    with locked(host, "disable"):
        disabled.begin(host, wanted)
        _run_plan(plan, host, Options(), Terminal())


def reconcile_enabled(host: Host, options: Options) -> None:
    """The way back: to the same goal as ever, once those are there that this node needs."""
    goal, found = state.load_goal(host), disabled.load(host)
    assert goal is not None, "only a node of a cluster is enabled"
    assert found is not None
    if options.dry_run:
        host = ReadOnlyHost(host.root, host.log)
        plan = [*enable.first(goal), *make_plan(goal, look(host), own_file())]
        _preview_plan(plan, host, options)
        return
    with locked(host, "enable"):
        disabled.begin(host, replace(found, returning=True))
        host.log.line("run enable")
        _run_plan(enable.first(goal), host, options, Terminal(quiet_ok=options.quiet_ok))
    reconcile(goal, host, options)
    disabled.forget(host)


def run_beside(
    verb: str, plan: Sequence[Step], host: Host, options: Options,
    still: Callable[[], bool] = lambda: True,
) -> Counts:  # fmt: skip
    """Steps that leave the goal as it is, if `still` wanted then: a node that was done stays so."""
    if options.dry_run:
        return _preview_plan(plan, ReadOnlyHost(host.root, host.log), options)
    with locked(host, verb):
        if not still():
            return Counts()
        host.log.line(f"run {verb}")
        was_reached = state.goal_reached(host)
        try:
            return _run_plan(plan, host, options, Terminal(quiet_ok=options.quiet_ok))
        finally:
            # an upgrade that was wished for meanwhile is to begin
            if was_reached and not upgrading.is_on(host):
                state.mark_reached(host)


def move_is_on(host: Host) -> bool:
    found = load_move(host)
    return found is not None and not found.is_over


def _say_reboot(host: Host) -> bool:
    reasons = ", ".join((host.read(state.REBOOT) or "").splitlines())
    if reasons:
        print(f"A reboot brings into force: {reasons}.", file=sys.stderr)
    return bool(reasons)


def _is_of_another_cluster(host: Host, facts: Facts) -> bool:
    """A node already, and kubepi never had a goal here."""
    is_node = not {"node", "control plane"}.isdisjoint(facts.kubernetes)
    return is_node and state.load_goal(host) is None


def _preflight(goal: Goal, facts: Facts, host: Host, options: Options) -> None:
    if goal.verb == "reset":
        return
    waived = {*options.ignore, *goal.settings["preflight.ignore"]}
    found = preflight.problems(facts, goal, host.now(), BUILT)
    if _is_of_another_cluster(host, facts):
        found.append(preflight.FOREIGN_CLUSTER)
    if (in_the_way := share_problem(host, goal)) is not None:
        found.append(preflight.Problem("share", *in_the_way))
    disk = str(goal.settings.get("storage.node_data", ""))
    if (in_the_way := node_data_problem(host, disk)) is not None:
        found.append(preflight.Problem("node-data", *in_the_way))
    for problem in found:
        if problem.name in waived:
            host.log.line(f"waived {problem.name}: {problem.sentence}")
    left = [problem for problem in found if problem.name not in waived]
    if left:
        rows = "".join(f"\n  {p.name}: {p.sentence}\n    cure: {p.cure}" for p in left)
        hint = "--ignore NAME goes on in spite of one of them"
        raise PreflightFailed(f"this Pi cannot be a {goal.role}:{rows}", hint)


def _run(goal: Goal, facts: Facts, host: Host, options: Options, was_reached: bool) -> Counts:
    # a first boot has no screen; later the FAT partition is left in peace
    copy = None if was_reached else card_log(host, facts.boot_folder)
    progress = Terminal(quiet_ok=options.quiet_ok, copy=copy)
    plan = make_plan(goal, facts, own_file(), installed_addons(host))
    return _run_plan(plan, host, options, progress)


def _run_plan(plan: Sequence[Step], host: Host, options: Options, progress: Terminal) -> Counts:
    start, others = time.monotonic(), host.seconds_in_programs + host.seconds_asleep
    try:
        counts = run_plan(plan, host, progress)
    except RebootNeeded as error:
        if options.reboot or not sys.stdin.isatty():
            error.hint = "this Pi reboots now, and kubepi goes on by itself"
            host.log.line("reboots now, goes on after it")
            host.run(["systemctl", "reboot"])
        raise
    except KubepiError as error:
        if not error.hint:
            error.hint = f"the log is {LOG_FILE}; the same command goes on where this one stopped"
        progress.keep(f"kubepi: {error.sentence}\nhint: {error.hint}")
        raise
    seconds = time.monotonic() - start
    own = seconds - (host.seconds_in_programs + host.seconds_asleep - others)
    host.log.line(f"done in {seconds:.2f} s, of which {own:.2f} s are kubepi's own")
    if host.log.lost:
        progress.note(f"the log could not be written: {host.log.lost}")
    progress.summary(counts, seconds)
    return counts


def _preview(goal: Goal, host: ReadOnlyHost, options: Options) -> Done:
    facts = look(host)
    _preflight(goal, facts, host, options)
    plan = make_plan(goal, facts, own_file(), installed_addons(host))
    return Done(_preview_plan(plan, host, options), state.goal_reached(host))


def _preview_plan(plan: Sequence[Step], host: ReadOnlyHost, options: Options) -> Counts:
    start = time.monotonic()
    progress = Terminal(quiet_ok=options.quiet_ok)
    counts = preview(plan, host, progress)
    progress.summary(counts, time.monotonic() - start, "would change")
    return counts
