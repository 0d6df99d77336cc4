"""What is wrong with this node: preflight, power, services, drift, the LAN; looks only.

Tests: tests/unit/test_report.py, tests/lab/test_cluster.py.
"""

from dataclasses import dataclass
from pathlib import Path

from kubepi import BUILT
from kubepi.cluster import kubectl
from kubepi.decide import preflight
from kubepi.decide.goal import Goal
from kubepi.decide.rotation import waited_for
from kubepi.decide.upgrade import AGAIN
from kubepi.lan.peers import PEERS, other_masters, read_peers
from kubepi.log import LOG_FILE
from kubepi.machine import etcd_data, rotation, state
from kubepi.machine.backups import newest_good
from kubepi.machine.certificates import ending_authorities
from kubepi.machine.configfiles import load
from kubepi.machine.facts import look
from kubepi.machine.health import look_closer
from kubepi.machine.host import ReadOnlyHost
from kubepi.report.room import full_disks, what_takes_it
from kubepi.report.status import ROOM, gather
from kubepi.steps.clock import ahead_of_peers

# Safe cures, which `doctor --fix` runs: a plan each.
CERTIFICATES, GOAL = "certificates", "goal"
REJOIN = "sudo kubepi reset, then sudo kubepi join --role master: etcd's data comes from the others"
UNITS = ("kubepi-agent.service", "containerd.service", "kubelet.service")


@dataclass(frozen=True)
class Ailment:
    """One finding; `name` is what --ignore takes where it is a preflight check.

    `fix` names the safe cure that `doctor --fix` has for it.
    """

    name: str
    sentence: str
    cure: str
    fix: str = ""


def examine(host: ReadOnlyHost) -> list[Ailment]:
    facts = look(host)
    is_root = host.uid() == 0 or str(host.root) != "/"
    goal = state.load_goal(host) if is_root else None
    asked = goal or Goal("join", load(host, {}).settings)
    found = [
        Ailment(problem.name, problem.sentence, problem.cure)
        for problem in preflight.problems(facts, asked, host.now(), BUILT)
        if problem.name not in asked.settings["preflight.ignore"]
    ]
    found += _power(host) + _room(goal, host)
    if not is_root:
        found.append(Ailment("root", "most of the rest needs root", "run: sudo kubepi doctor"))
    elif goal is None:
        found.append(
            Ailment("goal", "this Pi was not told what to be", "kubepi init, or kubepi join")
        )
    else:
        damage, drift = _etcd(goal, host), _drift(goal, host)
        # what lacks only for want of it has the same cure
        drift = [ailment for ailment in drift if not damage or ailment.name != "drift"]
        found += _clock(host) + _units(host) + damage + drift
        found += _authorities(host) + _lan(goal, host) + _tokens(host)
    return found


def _clock(host: ReadOnlyHost) -> list[Ailment]:
    """Before anything about certificates: with a wrong clock all of them look ended."""
    told = ahead_of_peers(host)
    if told is None:
        return []
    cure = "set the one that is wrong: sudo date --set '2027-01-31 12:00'"
    return [Ailment("clock", f"this Pi's clock {told}", cure)]


def _authorities(host: ReadOnlyHost) -> list[Ailment]:
    cure = "make the cluster anew, or rotate its authorities by hand (Kubernetes' documentation)"
    return [
        Ailment("authority", f"all certificates rest on {name}, which {one.word(host.now())}", cure)
        for name, one in ending_authorities(host).items()
    ]


def _tokens(host: ReadOnlyHost) -> list[Ailment]:
    """A change that has not reached everybody; each name has a cure of its own."""
    tokens = rotation.load(host)
    if tokens is None or not tokens.before:
        return []
    return [
        Ailment(
            "token", f"the token before is still good for {name}, not heard since the change",
            f"switch {name} on; if it is gone for good: sudo kubepi nodes forget {name}",
        )
        for name in waited_for(tokens, state.known_nodes(host))
    ]  # fmt: skip


def _power(host: ReadOnlyHost) -> list[Ailment]:
    health = look_closer(host)
    return [
        Ailment("power", word, "use the board's own power supply and a short, thick cable")
        for word in health.power or ()
    ]


def _room(goal: Goal | None, host: ReadOnlyHost) -> list[Ailment]:
    found = []
    for disk in full_disks(host):
        taken, cures = what_takes_it(host, goal, disk)
        found.append(Ailment("disk", f"{disk}; it holds {taken or 'little that is known'}", cures))
    return found


def _units(host: ReadOnlyHost) -> list[Ailment]:
    found = []
    for unit in UNITS:
        result = host.probe(["systemctl", "is-failed", unit])
        if result.stdout.strip() == "failed":
            lines = host.probe(["journalctl", "-u", unit, "-n", "3", "--no-pager", "-o", "cat"])
            last = " / ".join(lines.stdout.strip().splitlines())[:300]
            found.append(
                Ailment(unit, f"failed: {last}", f"journalctl -u {unit}; systemctl restart {unit}")
            )
    return found


def _etcd(goal: Goal, host: ReadOnlyHost) -> list[Ailment]:
    """Only where the API is silent; an offer, and never done by itself."""
    if host.exists(state.REPLACED):
        where = (host.read(state.REPLACED) or "?").split()[0]
        word = f"this master goes on at {where}"
        if state.is_older(host):
            word = f"the cluster was restored and goes on at {where}; this master is of before"
        return [Ailment("replaced", word, "sudo kubepi reset frees this Pi")]
    if goal.role != "master" or not host.exists(kubectl.ADMIN):
        return []
    # the API's name leads to another master that lives, if there is one
    lives = kubectl.is_ready(host) is None
    if lives and (not other_masters(host) or kubectl.is_own_ready(host) is None):
        return []
    trouble = etcd_data.problem(host) or etcd_data.last_words(host)
    if trouble is None:
        return []
    cure = REJOIN if lives else _restorable(goal, newest_good(host))
    return [Ailment("etcd", f"etcd cannot go on: {trouble}", cure)]


def _restorable(goal: Goal, good: Path | None) -> str:
    if good is None:
        return "sudo kubepi restore --from NODE, if another node keeps a backup"
    if not goal.makes_cluster:  # a backup is of the first master always
        return f"copy {good} to a fresh Pi, and there: sudo kubepi restore FILE"
    return f"sudo kubepi restore {good} (all that changed since is lost)"


def _drift(goal: Goal, host: ReadOnlyHost) -> list[Ailment]:
    status = gather(goal, host)
    again = f"sudo kubepi {goal.verb} makes it right"
    again = AGAIN if status.state == "being upgraded" else again
    is_disabled = status.state == "disabled"
    is_out = is_disabled or goal.verb == "reset" or host.exists(state.REPLACED)
    fix = "" if is_out or status.state == "being upgraded" else GOAL
    found = []
    for step, word in status.drift.items():
        if step.startswith("certificate") and not is_out:
            cure = "sudo kubepi doctor --fix; masters first, then workers"
            found.append(Ailment(CERTIFICATES, f"{step}: {word}", cure, CERTIFICATES))
        elif not step.startswith(ROOM):
            found.append(Ailment("drift", f"{step}: {word}", again, fix))
    if is_disabled:
        found.append(Ailment("disabled", "this node is disabled", "sudo kubepi enable"))
    elif status.state == "being upgraded":
        found.append(Ailment("upgrade", f"it has not ended: {status.progress}", AGAIN))
    elif not state.goal_reached(host):
        found.append(
            Ailment("unfinished", f"{goal.verb} has not ended: {status.progress}", again, fix)
        )
    for name, _role, condition, *_ in status.cluster_nodes:
        if condition != "Ready":
            found.append(
                Ailment("node", f"{name} is {condition}", f"sudo kubepi doctor on {name}")
            )
    return found


def _lan(goal: Goal, host: ReadOnlyHost) -> list[Ailment]:
    if not host.exists(PEERS):
        return [
            Ailment(
                "agent", "the agent has not written down any peers", f"look into {LOG_FILE}"
            )
        ]
    peers = read_peers(host).values()
    if not peers and goal.role == "worker":
        return [
            Ailment(
                "multicast", "no other Pi is heard; multicast seems blocked on this network",
                "name the master in kubepi.yaml: cluster.seeds: [ADDRESS]",
            )
        ]  # fmt: skip
    return []
