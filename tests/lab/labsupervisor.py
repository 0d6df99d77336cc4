"""What keeps a node running: mounts its disk, boots it, and boots it again when it reboots.

A program of its own (argument: the node's state folder), in a mount namespace of its own: its
mounts are gone when the last process of the node is, so that nothing has to be unmounted.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

import labcgroups
from labnet import wait_for_no_link
from labnodes import BOOT_FOLDER, Node, load
from labrun import run

# systemd-nspawn with --keep-unit ends so when the system in it wants to be booted again.
REBOOT = 133
NSPAWN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",
}


def supervise(node: Node) -> int:
    mount_disk(node)
    while True:
        cgroups = [folder / labcgroups.MACHINE for folder in labcgroups.make(node.mark, node.name)]
        print(f"lab: booting {node.name}", flush=True)
        status = subprocess.run(
            nspawn(node),
            stdin=subprocess.DEVNULL,
            env=NSPAWN_ENVIRONMENT,
            preexec_fn=partial(labcgroups.join, cgroups),
            check=False,
        ).returncode
        print(f"lab: {node.name} ended with {status}", flush=True)
        labcgroups.kill(cgroups)
        labcgroups.remove(cgroups)
        wait_for_no_link(node.machine)
        if status != REBOOT:
            return status


def mount_disk(node: Node) -> None:
    path = node.path
    layers = f"lowerdir={node.base},upperdir={path / 'up'},workdir={path / 'work'}"
    run(["mount", "-t", "overlay", "overlay", "-o", layers, str(path / "root")])
    # systemd-nspawn needs a tmpfs there, and /run is one on not every machine.
    nspawn_run = Path("/run/systemd/nspawn")
    nspawn_run.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "tmpfs", str(nspawn_run)])


def nspawn(node: Node) -> list[str]:
    path = node.path
    argv = [
        "systemd-nspawn",
        f"--directory={path / 'root'}",
        f"--machine={node.machine}",
        f"--network-bridge={node.bridge}",
        f"--bind={path / 'containerd'}:/var/lib/containerd",
        f"--bind={path / 'kubelet'}:/var/lib/kubelet",
        "--bind=/dev/kmsg",
        "--boot",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--capability=all",
        "--system-call-filter=add_key keyctl bpf",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
    ]
    if node.kit is not None:
        argv.append(f"--bind-ro={node.kit}:/srv/kubepi-kit")
    if node.firmware is not None:
        argv.append(f"--bind-ro={node.firmware}:/sys/firmware")
    return [*argv, *words_for_systemd(path / "root" / BOOT_FOLDER / "cmdline.txt")]


def words_for_systemd(cmdline: Path) -> list[str]:
    """A container has no kernel command line of its own: systemd takes its arguments for it."""
    words = cmdline.read_text(errors="replace").split() if cmdline.is_file() else []
    return [word for word in words if word.startswith("systemd.")]


if __name__ == "__main__":
    sys.exit(supervise(load(Path(sys.argv[1]))))
