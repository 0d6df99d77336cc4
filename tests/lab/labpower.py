"""A node's power switch and door: boot, wait until it is up, cut its power, run commands in it."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import labcgroups
from labnet import wait_for_no_link
from labnodes import NETWORK_PATH, Node, network_file, save
from labpios import WIZARD
from labrun import LabError, last_lines, run, wait_until

SUPERVISOR = Path(__file__).with_name("labsupervisor.py")
BOOT_SECONDS = 120
REBOOT_SECONDS = 120  # a container that ignores SIGTERM delays it by up to 90
UP_STATES = ("running", "degraded")
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
)


def switch_on(node: Node) -> None:
    """Start a node's supervisor, in a session of its own; it outlives this program."""
    cgroups = labcgroups.make(node.mark, node.name)
    run(
        [
            *("setsid", "--fork", "unshare", "--mount", "--propagation=private"),
            *(sys.executable, "-B", str(SUPERVISOR), node.folder),
        ],
        log=node.console,
        before=lambda: labcgroups.join(cgroups),
    )


def is_on(node: Node) -> bool:
    return bool(labcgroups.processes(labcgroups.node_folders(node.mark, node.name)))


def cut_power(node: Node) -> None:
    """Kill all that runs in a node, and its supervisor, at one instant; the disk stays."""
    cgroups = labcgroups.node_folders(node.mark, node.name)
    labcgroups.kill(cgroups)
    labcgroups.remove(cgroups)
    wait_for_no_link(node.machine)


def reboot(node: Node) -> None:
    """Ask the system in a node to reboot, and wait until another boot has begun."""
    before = boot_id(node)
    try_in_node(node, ["systemctl", "reboot"])
    if not wait_until(lambda: boot_id(node) not in ("", before), REBOOT_SECONDS):
        raise LabError(diagnosis(node, REBOOT_SECONDS))


def give_address(node: Node) -> None:
    """As a DHCP server that has another one for it: on the running interface, or later."""
    path = f"/{NETWORK_PATH}"
    if leader(node) is None:
        (node.path / "up" / NETWORK_PATH).write_text(network_file(node))
    else:
        script = f"printf '%s' \"$1\" > {path} && networkctl reload && networkctl reconfigure host0"
        done = try_in_node(node, ["sh", "-c", script, "address", network_file(node)])
        if done is None or done.returncode:
            raise LabError(f"{node.name}: {'it went off' if done is None else done.stderr}")
    save(node)


def boot_id(node: Node) -> str:
    """What tells one boot of a node from the next; empty while the node is between two."""
    answer = try_in_node(node, ["cat", "/proc/sys/kernel/random/boot_id"])
    return answer.stdout.strip() if answer is not None and answer.returncode == 0 else ""


def wait_until_up(nodes: Sequence[Node], seconds: float = BOOT_SECONDS) -> None:
    """Wait until systemd in each node is; LabError with the console's last lines if not in time."""
    waiting = list(nodes)

    def none_left() -> bool:
        waiting[:] = [node for node in waiting if not is_up(node)]
        return not waiting or not all(is_on(node) for node in waiting)

    wait_until(none_left, seconds, every=0.3)
    if waiting:
        raise LabError("\n".join(diagnosis(node, seconds) for node in waiting))


def is_up(node: Node) -> bool:
    """All that is to start did, but for a wizard that waits for a keyboard."""
    if system_state(node) in UP_STATES:
        return True
    jobs = try_in_node(node, ["systemctl", "is-active", WIZARD, "network.target"])
    return jobs is not None and jobs.stdout.split() == ["activating", "active"]


def diagnosis(node: Node, seconds: float) -> str:
    state = system_state(node) if is_on(node) else "not running"
    lines = [f"{node.name} is not up after at most {seconds:.0f} s: {state}"]
    jobs = try_in_node(node, ["systemctl", "list-jobs", "--no-pager"])
    if jobs is not None:
        lines += ["its systemd still does:", last_lines(jobs.stdout)]
    if node.console.exists():
        lines += ["its console said last:", last_lines(node.console.read_text(errors="replace"))]
    return "\n".join(lines)


def system_state(node: Node) -> str:
    """What `systemctl is-system-running` says in the node; "off" without a systemd in it."""
    answer = try_in_node(node, ["systemctl", "is-system-running"])
    return "off" if answer is None else answer.stdout.strip()


def try_in_node(node: Node, argv: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a short command in a node, whatever its exit code; None if no system runs there."""
    inside = leader(node)
    return None if inside is None else run(entry(inside, argv), check=False)


def leader(node: Node) -> int | None:
    """The process that is systemd, the first process, in the node; None while there is none."""
    for folder in labcgroups.node_folders(node.mark, node.name):
        if "freezer" not in folder.parts:  # the one controller that systemd moves nothing in
            continue
        for process in labcgroups.processes([folder / labcgroups.MACHINE]):
            if is_leader(Path("/proc", str(process))):
                return process
    return None


def is_leader(process: Path) -> bool:
    try:
        status = (process / "status").read_text().splitlines()
        name = (process / "comm").read_text().strip()
    except OSError:
        return False  # ended while we looked
    ids = next(line.split()[1:] for line in status if line.startswith("NSpid:"))
    return name == "systemd" and len(ids) == 2 and ids[1] == "1"


def entry(inside: int, argv: Sequence[str], tty: bool = False) -> list[str]:
    """The command that runs argv where that process is, with a clean environment, as root.

    It ends when its caller is killed. With `tty` it gets a terminal of the node's own.
    """
    if tty:
        argv = ["script", "--quiet", "--return", "--command", shlex.join(argv), "/dev/null"]
    return [
        *("nsenter", "--target", str(inside), "--all"),
        *("setpriv", "--pdeathsig", "TERM"),
        *("env", "--ignore-environment", "--chdir=/root", *ENVIRONMENT),
        f"TERM={os.environ.get('TERM', 'dumb')}",
        *argv,
    ]


def become(node: Node, argv: Sequence[str], tty: bool = False) -> NoReturn:
    """Replace this process by a command in a node, where it counts as the node's own."""
    inside = leader(node)
    if inside is None:
        raise LabError(f"{node.name} is off; `lab boot {node.name}` switches it on")
    command = entry(inside, argv, tty)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, the command must not
    labcgroups.join_container(inside)
    os.execvp(command[0], command)


def push(node: Node, source: Path, target: str) -> NoReturn:
    """Copy a file into a node with its mode, synced; a target that ends in / is a folder."""
    if not source.is_file():
        raise LabError(f"no file {source}")
    if target.endswith("/"):
        target += source.name
    script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1" && sync "$1"'
    mode = f"{source.stat().st_mode & 0o7777:o}"
    with source.open("rb") as file:
        os.dup2(file.fileno(), 0)
        become(node, ["sh", "-c", script, "push", target, mode])
