"""What rules a Pi out before anything is changed, each by a name that can be waived; pure."""

from collections.abc import Callable
from dataclasses import dataclass

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal

MASTER_MB = 1700  # kubeadm's own limit for a control plane
WORKER_MB = 800  # a 1 GB board less what the firmware keeps


@dataclass(frozen=True)
class Problem:
    """`name` is what --ignore takes; the cure is what to do about it."""

    name: str
    sentence: str
    cure: str


FOREIGN_CLUSTER = Problem(
    "other-kubernetes",
    "this Pi is a node of a Kubernetes that kubepi did not make",
    "take it out first: sudo kubeadm reset",
)
Check = Callable[[Facts, Goal, float, float], tuple[str, str] | None]


def _width(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    if facts.userland_bits == 64:
        return None
    return (
        f"the system is {facts.userland_bits}-bit ({facts.architecture}); "
        "Kubernetes has no 32-bit ARM since 1.27",
        "flash a 64-bit system; a 64-bit kernel under a 32-bit system is not enough",
    )


def _board(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    if facts.board.capable:
        return None
    return (
        f"{facts.board.name} has a processor that Kubernetes does not support",
        "use a Raspberry Pi 3 or newer, or a Zero 2 W",
    )


def _memory(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    needed = MASTER_MB if goal.role == "master" else WORKER_MB
    if facts.memory_mb >= needed:
        return None
    return (
        f"{facts.memory_mb} MB of memory, a {goal.role} needs {needed} MB",
        "use a board with more memory for this role",
    )


def _processors(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    if goal.role != "master" or facts.cpus >= 2:
        return None
    return f"{facts.cpus} processor, a master needs 2", "use a board with more processors"


def _cgroups(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    if facts.cgroup_version == 2:
        return None
    return (
        "cgroup v1; kubelet refuses it since 1.35",
        "boot with systemd.unified_cgroup_hierarchy=1, or use a newer system",
    )


def _controller(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    # on a Raspberry Pi the plan adds cgroup_enable=memory and reboots
    if facts.memory_controller or facts.boot_folder is not None:
        return None
    return "the kernel's memory controller is off", "boot with cgroup_enable=memory"


def _clock(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    # the plan waits for a time service; a clock far in the past has none that works
    if now > built - 10 * 365 * 86400:
        return None
    return "the clock is years in the past", "set it: sudo date -s 'YYYY-MM-DD HH:MM'"


def _network(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    address = goal.settings["node.address"]
    there = {one.partition("/")[0] for link in facts.interfaces for one in link.addresses}
    if address and there and address not in there:
        return (
            f"node.address {address} is no address of this Pi ({', '.join(sorted(there))})",
            "correct it, or leave it out",
        )
    if facts.network is not None or address:
        return None
    return "no network with a default route", "connect a cable or set up Wi-Fi"


def _others(facts: Facts, goal: Goal, now: float, built: float) -> tuple[str, str] | None:
    others = [name for name in facts.kubernetes if name in ("k3s", "microk8s", "k0s", "rke2")]
    if not others:
        return None
    return (
        f"{', '.join(others)} is installed and would fight over the same ports",
        f"remove {others[0]} first",
    )


CHECKS: dict[str, Check] = {
    "userland": _width,
    "board": _board,
    "memory": _memory,
    "processors": _processors,
    "cgroups": _cgroups,
    "memory-controller": _controller,
    "clock": _clock,
    "network": _network,
    "other-kubernetes": _others,
}


def problems(facts: Facts, goal: Goal, now: float, built: float) -> list[Problem]:
    """All of them; `built` and `now` in seconds since 1970."""
    found = []
    for name, check in CHECKS.items():
        answer = check(facts, goal, now, built)
        if answer is not None:
            found.append(Problem(name, *answer))
    return found
