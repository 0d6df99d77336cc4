"""A FakePi as it comes from the image, with a kit beside it, and goals for it."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from kubepi.addons import addon_images
from kubepi.agent.voice import node_id
from kubepi.agent.voter import Voter
from kubepi.decide.adverts import Advert
from kubepi.decide.goal import Goal, Secret
from kubepi.decide.peerbook import Peer
from kubepi.decide.settings import KINDS
from kubepi.decide.votes import Vote, write_vote
from kubepi.decide.wish import parse_wish
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.facts import dpkg_architecture, look
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.join_programs import kubelet_works, own_name
from tests.kubernetes_programs import INIT_FILES, install_kubernetes
from tests.programs import boot, install_programs

VERSION = "v1.36.3"
KIT = "/srv/kit"
ARCHIVE = b"the bytes of kubepi.pyz"
TOKEN = "canary-canary-canary-canary-canary"
MASTER_ID = "00000000000000aa"
REPOSITORY = Path(__file__).parent.parent

FILES = {
    "/etc/hostname": "pi7\n",
    "/etc/hosts": "127.0.0.1\tlocalhost\n",
    "/etc/os-release": 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n',
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/systemd/system/multi-user.target.wants/.keep": "",
    "/usr/bin/python3": "",
    "/usr/local/bin/.keep": "",
    "/usr/local/lib/.keep": "",
    "/usr/lib/systemd/system/.keep": "",
    "/var/cache/.keep": "",
    "/root/.profile": "",
    "/proc/filesystems": "nodev\toverlay\n",
    "/proc/modules": "",
    "/proc/sys/vm/drop_caches": "",
    "/proc/sys/net/ipv4/ip_forward": "0\n",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "0\n",
    "/proc/sys/net/bridge/bridge-nf-call-ip6tables": "0\n",
    "/proc/sys/kernel/osrelease": "6.12.0\n",
    "/proc/rules": "*nat\n-A MINE -j ACCEPT\nCOMMIT\n",
    "/usr/lib/systemd/system/avahi-daemon.service": "",
    "/usr/lib/systemd/system/NetworkManager.service": "",
    "/etc/ssh/.keep": "",
    "/mnt/.keep": "",
    "/srv/.keep": "",
    "/proc/self/status": "CapEff:\t000001ffffffffff\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "/sys/class/net/.keep": "",
    "/var/lib/dpkg/status": "iptables 1.0-1\n",
    "/var/lib/dpkg/arch": "amd64\n",
    "/usr/sbin/iptables": "iptables",
}
# What is no file of ours to give back: kept on purpose, or the kernel's.
NOT_OURS = ("/proc", "/sys", "/var/log", KIT, "/tmp", "/var/lib/dpkg/holds")
KIT_IMAGES = {
    "images/kubernetes-v1.36.3.tar": ["registry.k8s.io/kube-apiserver:v1.36.3"],
    "images/pause.tar": ["registry.k8s.io/pause:3.10.2"],
    "images/addons.tar": addon_images("flannel", "hello"),
}


def flattened(tree: Mapping[str, Any], names: Collection[str], above: str = "") -> dict[str, Any]:
    """Values by dotted name; a map that is itself a setting stays one."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        flat |= {name: value} if name in names else flattened(value, names, f"{name}.")
    return flat


def settings(**changes: object) -> dict[str, object]:
    """defaults.yaml as the goal holds it, for a Pi that has a kit and a fixed address."""
    tree = yaml.safe_load((REPOSITORY / "defaults.yaml").read_text())
    flat: dict[str, object] = flattened(tree, KINDS)
    flat.pop("cluster.token")
    flat |= {"downloads.kit": KIT, "node.address": "10.0.0.7"}
    return flat | {name.replace("__", "."): value for name, value in changes.items()}


def init_goal(**changes: object) -> Goal:
    return Goal("init", settings(**changes))


def join_goal(**changes: object) -> Goal:
    return Goal("join", settings(**changes))


def join_master_goal(**changes: object) -> Goal:
    return Goal("join", settings(**changes), as_master=True)


def up_goal(**changes: object) -> Goal:
    """With `cluster__expect=1` this Pi is alone, and fit enough; else there is a master."""
    waived = ["board", "clock", "memory", "network", "processors", "userland"]
    return Goal("up", settings(**{"preflight__ignore": waived, **changes}))


def reset_goal(before: Goal) -> Goal:
    return Goal("reset", before.settings, was=before.verb, as_master=before.as_master)


def fresh_pi(folder: Path, board: str = "") -> FakePi:
    """Programs installed, a kit with checked files, and kubepi.pyz to be copied.

    `board` is a folder of tests/boards; without one it is a plain PC.
    """
    folder.mkdir(parents=True)
    root = folder / "root"
    pi = pi_of(board, root) if board else FakePi(_made(root))
    for name, text in FILES.items():
        if not pi.exists(name):
            pi.put(name, text)
    pi.path("/sys/class/net/.keep").unlink()
    firmware(pi)
    pi.fake_disk.make_all_durable()
    (folder / "kubepi.pyz").write_bytes(ARCHIVE)
    _put_kit(pi)
    install_programs(pi)
    install_kubernetes(pi)
    pi.clock.on_sleep.append(lambda: _agent_works(pi))
    return pi


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


class Master(FakePi):
    """Its API runs, also after a power cut, and so does containerd."""

    def power_cut(self) -> None:
        super().power_cut()
        self.running |= {"kubelet.service", "containerd.service"}


def master(folder: Path) -> FakePi:
    """A Pi that kubeadm made the master of a cluster."""
    pi = fresh_pi(folder)
    for name, text in INIT_FILES.items():
        pi.put(name, text, 0o600)
    pi.running |= {"kubelet.service", "containerd.service"}
    pi.__class__ = Master
    return pi


def firmware(pi: FakePi) -> None:
    """What the boot partition and the files of the OS make of the kernel at a boot."""
    pi.put("/proc/sys/kernel/hostname", pi.read("/etc/hostname") or "localhost\n")
    if pi.exists("/boot/firmware/cmdline.txt"):
        tokens = (pi.read("/boot/firmware/cmdline.txt") or "").split()
        memory = " memory" if "cgroup_enable=memory" in tokens else ""
        pi.put("/sys/fs/cgroup/cgroup.controllers", f"cpuset cpu io{memory} pids\n")
    if pi.exists("/etc/rpi/swap.conf"):
        swap_is_off = "none" in (pi.read("/etc/rpi/swap.conf.d/99-kubepi.conf") or "")
        row = "" if swap_is_off else "/dev/zram0 partition 2097136 0 100\n"
        pi.put("/proc/swaps", f"Filename Type Size Used Priority\n{row}")


def _put_kit(pi: FakePi) -> None:
    packages, images = [], []
    for package in ("kubeadm", "kubelet", "kubectl", "kubernetes-cni"):
        file = f"debs/{package}_1.36.3-1.1_amd64.deb"
        packages.append({"file": file, "sha256": _put(pi, file, package)})
    for file, references in KIT_IMAGES.items():
        text = "".join(f"{reference}\n" for reference in references)
        images.append({"file": file, "sha256": _put(pi, file, text), "references": references})
    bundle = {
        "format": 1, "architecture": dpkg_architecture(pi), "kubernetes": [VERSION],
        "packages": packages, "images": images,
    }  # fmt: skip
    pi.put(f"{KIT}/bundle.yaml", yaml.safe_dump(bundle))


def _put(pi: FakePi, file: str, text: str) -> str:
    pi.put(f"{KIT}/{file}", text)
    return hashlib.sha256(text.encode()).hexdigest()


def give_token(pi: FakePi) -> None:
    state.save_secret(pi, Secret("token"), TOKEN)


def _agent_works(pi: FakePi) -> None:
    """While somebody waits: the agent hears the master; the master lets a leaver go."""
    kubelet_works(pi)
    if "kubepi-agent.service" not in pi.running:
        return
    master = Advert(
        cluster="home", node="pi1", node_id=MASTER_ID, address="10.0.0.1", role="master",
        state="ready", ca_hash="sha256:" + "0" * 64, kubernetes=VERSION, sequence=1,
        vote=write_vote(Vote(master=MASTER_ID)), answer=_admitted(pi), life=7,
    )  # fmt: skip
    goal = state.load_goal(pi)
    is_alone = goal is not None and goal.settings["cluster.expect"] == 1
    book = {} if is_alone else {MASTER_ID: Peer(master, True, pi.monotonic())}
    path = pi.path(PEERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(book)))
    if goal is not None and goal.verb == "up":
        Voter(pi, node_id(pi)).look(goal, look(pi), book)
    if pi.exists(state.LEAVING):
        pi.master_knows.clear()


def _admitted(pi: FakePi) -> str:
    """pi1 takes a member that never voted out of etcd; one of two voters it cannot take out."""
    wish = parse_wish(pi.read(state.WISH) or "")
    if wish is None or pi.etcd_elsewhere.get(own_name(pi)) == "voter":
        return ""
    pi.etcd_elsewhere.pop(own_name(pi), None)
    return wish.number


def power_on(pi: FakePi) -> None:
    """After a cut: the disk's truth, an empty /run, and what systemd starts."""
    pi.power_cut()
    boot(pi)
    kubelet_works(pi)
    firmware(pi)


def reboot(pi: FakePi) -> None:
    """An orderly one: nothing is lost but /run and what runs."""
    pi.fake_disk.make_all_durable()
    still_to_come = pi.fake_disk.die_at
    power_on(pi)
    pi.fake_disk.die_at = still_to_come
