"""The life of a clone's lab: up, down, and what is left of it on this machine."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import labcgroups
import labnet
from labclone import Clone
from labnodes import Node, Wanted, choose_boards, find_kit, load_all, prepare
from labpios import root_of
from labpower import switch_on, wait_until_up
from labrun import LabError


def bring_up(clone: Clone, wanted: Wanted) -> list[Node]:
    """Fresh nodes pi1 to piN, booted; whatever an earlier lab of this clone left is cleared."""
    kit = find_kit(clone, wanted.kit) if wanted.has_kit else None
    boards = choose_boards(clone, wanted)
    base = root_of(wanted.flavour, wanted.release)
    take_down(clone)
    try:
        nodes = make_nodes(clone, wanted, boards, base, kit)
        for node in nodes:
            switch_on(node)
        wait_until_up(nodes)
    except BaseException:
        take_down(clone)
        raise
    return nodes


def make_nodes(
    clone: Clone, wanted: Wanted, boards: Sequence[str], base: Path, kit: str | None
) -> list[Node]:
    clone.state.mkdir(mode=0o700, parents=True)
    subnet = labnet.claim_subnet(clone)
    labnet.make_network(clone, subnet)
    for number, board in enumerate(boards, start=1):
        name = f"pi{number}"
        node = Node(
            name=name,
            machine=clone.machine(name),
            mark=clone.mark,
            folder=str(clone.folder(name)),
            base=str(base),
            address=str(labnet.node_address(subnet, number)),
            gateway=str(labnet.gateway(subnet)),
            bridge=clone.bridge,
            board=board,
            kit=kit,
            flavour=wanted.flavour,
        )
        prepare(clone, node, wanted.card)
    return load_all(clone)


def take_down(clone: Clone) -> None:
    """Remove all that belongs to this clone's lab, also after a crash; LabError if some stays."""
    cgroups = labcgroups.folders(clone.mark)
    labcgroups.kill(cgroups)
    for process in processes_on_disks(clone):
        labcgroups.kill_one(process)
    labcgroups.remove(cgroups)
    labnet.remove_network(clone)
    if clone.state.exists():
        shutil.rmtree(clone.state)
    if left := leftovers(clone):
        raise LabError("still there after `lab down`:\n" + "\n".join(left))


def leftovers(clone: Clone) -> list[str]:
    """Everything of this clone's lab that is on this machine, one line each."""
    cgroups = labcgroups.folders(clone.mark)
    own_mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [
        *(f"process {number}" for number in sorted(labcgroups.processes(cgroups))),
        *(f"process {number}, on a node's disk" for number in processes_on_disks(clone)),
        *(f"cgroup {folder}" for folder in cgroups),
        *(f"mount {line}" for line in own_mounts if str(clone.state) in line),
        *(f"network device {name}" for name in labnet.links(clone)),
        *(f"network namespace {name}" for name in labnet.named_namespaces(clone)),
        *(f"iptables rule in {table}: {rule}" for table, rule in labnet.rules(clone)),
        *(f"folder {folder}" for folder in [clone.state] if folder.exists()),
    ]


def processes_on_disks(clone: Clone) -> list[int]:
    """Processes in whose mount namespace a disk of this lab is mounted, and not in ours."""
    found = []
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            mounted = f"upperdir={clone.state}/" in table.read_text()
        except OSError:
            continue  # ended while we looked
        if mounted:
            found.append(int(table.parent.name))
    return sorted(found)
