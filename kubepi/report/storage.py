"""The share as `status` and `storage show` tell it: server, room, who mounts it, who uses it.

Looks only. Tests: tests/unit/test_storage_command.py, tests/lab/test_vm_share.py.
"""

from dataclasses import dataclass, field
from typing import Any

from kubepi.cluster import kubectl
from kubepi.cluster.users import has_ended, uses
from kubepi.decide.addons import SHARED_CLASS
from kubepi.decide.goal import Goal
from kubepi.decide.share import Share
from kubepi.errors import NotYet
from kubepi.lan.peers import read_peers
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.steps.kubeadm import node_name
from kubepi.steps.share import current_share, named_share, serves

LOOK_SECONDS = 10.0  # a mount of a server that is away answers never
TIMED_OUT = 124
FULL = 16 * 2**20  # bytes; with less room than that, nothing useful can be written


@dataclass(frozen=True)
class Room:
    """Bytes of the file system that is served."""

    size: int
    free: int


@dataclass(frozen=True)
class Claim:
    """A claim of the shared class: its name, its folder on the share, the pods that have it."""

    name: str
    size: str
    folder: str
    pods: tuple[str, ...]


@dataclass
class Storage:
    """`mounted` and `missing` are names of nodes; `ailment` is "" where all is well."""

    share: Share
    server: str
    room: Room | None = None
    ailment: str = ""
    mounted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    silent: str = ""


def look_at_share(host: Host, goal: Goal) -> Storage | None:
    """The share of this node, and whether it can be used now; None where there is none.

    Raises:
        NotYet: nobody said yet which it is.
    """
    share = named_share(host, goal) if goal.makes_cluster else current_share(host, goal)
    if share is None:
        return None
    storage = Storage(share, _name_of(host, goal, share))
    storage.room, storage.ailment = room_of(host, share, storage.server)
    return storage


def room_of(host: Host, share: Share, server: str) -> tuple[Room | None, str]:
    """Size and room, and what is wrong."""
    asked = ["df", "--block-size=1", "--output=size,avail", str(host.path(share.mount))]
    result = host.probe(asked, timeout=LOOK_SECONDS)
    words = result.stdout.split()
    if not result.ok:
        what = f"the server {server} ({share.address}) does not answer"
        said = result.stderr.strip().splitlines()
        if result.code != TIMED_OUT and said:
            what = f"the share of {server} ({share.address}) cannot be read: {said[-1]}"
        return None, f"{what}; what uses the share waits for it, and nothing is lost"
    room = Room(int(words[-2]), int(words[-1]))
    if room.free < FULL:
        return room, f"is full: {bytes_text(room.free)} of {bytes_text(room.size)} are free"
    return room, ""


def add_users(storage: Storage, host: Host, goal: Goal) -> None:
    """Who mounts it, by the adverts; who uses it, by the API."""
    own = node_name(host)
    now = host.monotonic()
    heard = (p for p in read_peers(host).values() if p.trusted and not p.is_silent(now))
    peers = [peer.advert for peer in heard]
    for advert in peers:
        if advert.role in ("master", "worker") and advert.state == "ready":
            has_it = advert.share == str(storage.share)
            (storage.mounted if has_it else storage.missing).append(advert.node)
    storage.mounted = sorted({*storage.mounted, own})
    storage.missing = sorted(set(storage.missing) - {own})
    try:
        storage.claims = claims(host)
    except NotYet as missing:
        storage.silent = f"the claims are not known: {missing.what} does not answer"


def claims(host: Host) -> list[Claim]:
    """Those of the shared class, by name.

    Raises:
        NotYet: the API does not answer, or this node may not ask.
    """
    kinds = "persistentvolumeclaims,persistentvolumes,pods"
    listed = kubectl.ask_items(host, kinds, "--all-namespaces")
    volumes = {o["metadata"]["name"]: o for o in listed if o["kind"] == "PersistentVolume"}
    pods = [o for o in listed if o["kind"] == "Pod" and not has_ended(o)]
    found = []
    for item in (o for o in listed if o["kind"] == "PersistentVolumeClaim"):
        if item["spec"].get("storageClassName") != SHARED_CLASS:
            continue
        space, name = item["metadata"]["namespace"], item["metadata"]["name"]
        volume = volumes.get(item["spec"].get("volumeName", ""), {})
        users = [p["metadata"]["name"] for p in pods if uses(p, {(space, name)})]
        size = item["spec"]["resources"]["requests"]["storage"]
        found.append(Claim(f"{space}/{name}", size, folder_of(volume), tuple(sorted(users))))
    return sorted(found, key=lambda claim: claim.name)


def folder_of(volume: dict[str, Any]) -> str:
    spec = volume.get("spec", {})
    return str((spec.get("hostPath") or spec.get("local") or {}).get("path", ""))


def _name_of(host: Host, goal: Goal, share: Share) -> str:
    if serves(host, goal, share):
        return node_name(host)
    # it may be off since the boot
    named = {address: node for node, address in state.known_nodes(host).values()}
    named |= {p.advert.address: p.advert.node for p in read_peers(host).values() if p.trusted}
    return named.get(share.address, "outside the cluster")


def bytes_text(count: int) -> str:
    """1.5 GB and the like, by powers of ten as disks are sold."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if size >= 100 or unit == "B" else f"{size:.1f} {unit}"
