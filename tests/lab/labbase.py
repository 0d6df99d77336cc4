"""The base root of the nodes: a small Debian, made once, kept and shared by all labs.

It has what a stock Raspberry Pi OS Lite has and kubepi needs to find. The packages that kubepi
installs lie in its apt cache, so that installing them in a node needs no network.
"""

import hashlib
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path

from labmachine import Mirror, debian_mirror, resolv_conf
from labrun import locked, run

CACHE = Path("/var/cache/kubepi-lab")
RELEASES = ("trixie", "bookworm")
BUILD_SECONDS = 1800
PACKAGES = (
    "systemd", "systemd-sysv", "systemd-timesyncd", "libpam-systemd", "udev", "dbus",
    "ca-certificates", "curl", "e2fsprogs", "fdisk", "gpgv", "iproute2", "iptables",
    "iputils-ping", "iw", "kmod", "locales", "netbase", "procps", "python3", "rfkill", "sudo",
    "tzdata", "xz-utils",
)  # fmt: skip
PRELOADED = (
    "conntrack", "containerd", "ebtables", "ethtool", "nfs-common", "nfs-kernel-server", "runc",
    "socat",
)  # fmt: skip
# Below a container's /sys/fs/cgroup everything but its own part is mounted read-only;
# containerd and kubelet need to write the controllers as on a real machine.
CGROUPS_UNIT = """\
[Unit]
Description=Make the cgroup controllers writable
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for it in /sys/fs/cgroup /sys/fs/cgroup/*/; do \\
    mount -o remount,bind,rw "$it"; done'

[Install]
WantedBy=sysinit.target
"""
UNITS = ("lab-cgroups.service", "systemd-networkd.service")
# A process namespace of its own, which ends with this program: then the whole build has stopped,
# and what it has mounted is gone.
ALONE = (
    "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation=private", "--pid",
    "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in a base root."""

    release: str
    mirror: Mirror
    packages: tuple[str, ...] = PACKAGES
    preloaded: tuple[str, ...] = PRELOADED
    unit: str = CGROUPS_UNIT
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]
        return CACHE / f"{self.release}-{digest}"


def base_root(release: str) -> Path:
    """The root of that Debian release, made now if it is not there yet (about two minutes)."""
    recipe = Recipe(release, debian_mirror())
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(f"kubepi-lab-{recipe.folder.name}", BUILD_SECONDS):
        if not recipe.folder.is_dir():
            build(recipe)
    return recipe.folder


def aside(folder: Path, what: str) -> tuple[Path, Path]:
    """Where a folder of the cache is built before it gets its name, and the log of that."""
    log = CACHE / f"{folder.name}.log"
    log.unlink(missing_ok=True)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    print(f"making the {what} {folder} (log: {log})", flush=True)
    return unfinished, log


def build(recipe: Recipe) -> None:
    unfinished, log = aside(recipe.folder, "base root")
    bootstrap = ["debootstrap", "--variant=minbase", f"--include={','.join(recipe.packages)}"]
    run([*ALONE, *bootstrap, recipe.release, str(unfinished), recipe.mirror.main], log=log)
    write_settings(recipe, unfinished)
    for command in (
        ["systemctl", "enable", *UNITS],
        ["apt-get", "update"],
        ["apt-get", "dist-upgrade", "-y"],
        ["apt-get", "clean"],
        ["apt-get", "install", "-y", "--download-only", *recipe.preloaded],
    ):
        inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
        run([*ALONE, "sh", "-c", inside, str(unfinished), *command], log=log)
    forget_machine(unfinished)
    unfinished.rename(recipe.folder)


def write_settings(recipe: Recipe, root: Path) -> None:
    write_sources(recipe.release, recipe.mirror, root)
    (root / "etc/systemd/system/lab-cgroups.service").write_text(recipe.unit)
    (root / "etc/resolv.conf").write_text(resolv_conf())


def write_sources(release: str, mirror: Mirror, root: Path) -> None:
    """Where apt gets Debian from, and how."""
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    sources = [
        f"deb {mirror.main} {release} main",
        f"deb {mirror.main} {release}-updates main",
        f"deb {mirror.security} {release}-security main",
    ]
    lines = {
        "etc/apt/sources.list.d/debian.list": sources,
        "etc/apt/apt.conf.d/90lab": list(mirror.options),
    }
    for name, content in lines.items():
        (root / name).write_text("".join(f"{line}\n" for line in content))


def forget_machine(root: Path) -> None:
    """Empty, as in an image for an SD card: each node makes its own at its first boot."""
    (root / "etc/machine-id").write_text("")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (root / "etc/hostname").unlink(missing_ok=True)
