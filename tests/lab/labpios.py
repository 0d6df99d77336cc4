"""A root as Raspberry Pi OS comes, where nobody pressed a key yet: what fights with a first boot.

The base with NetworkManager, avahi, sshd and cloud-init, which takes its seed from the boot
partition; a wizard that waits for a keyboard for ever; a journal that a power cut empties; no
machine-id. Sources: RPi-Distro's pi-gen, raspberrypi-sys-mods and userconf-pi.
"""

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

from labbase import ALONE, BUILD_SECONDS, CACHE, aside, base_root, forget_machine
from labrun import locked, run

FLAVOURS = ("plain", "pios")
HOST_NAME = "raspberrypi"
PACKAGES = ("avahi-daemon", "cloud-init", "network-manager", "openssh-server")
WIZARD = "userconfig.service"
FILES = (
    (
        f"etc/systemd/system/{WIZARD}",
        "[Unit]\nDescription=User configuration dialog\nAfter=network.target\n\n"
        "[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf",
        "[Journal]\nStorage=volatile\n",
    ),
    (
        "etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg",
        "datasource_list: [ NoCloud, None ]\ndatasource:\n  NoCloud:\n"
        "    seedfrom: file:///boot/firmware\n",
    ),
    # the lab's own cable: its address is given by systemd-networkd, as in the base
    ("etc/cloud/cloud.cfg.d/99-lab.cfg", "network: {config: disabled}\n"),
    (
        "etc/NetworkManager/conf.d/lab.conf",
        "[main]\ndns=none\n\n[keyfile]\nunmanaged-devices=interface-name:host0;interface-name:eth0\n",
    ),
    ("etc/hostname", f"{HOST_NAME}\n"),
    ("etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{HOST_NAME}\n"),
)
INSIDE = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


@dataclass(frozen=True)
class PiosRecipe:
    """All that decides what is in the root; the base's name carries a digest of its own."""

    base: str
    packages: tuple[str, ...] = PACKAGES
    files: tuple[tuple[str, str], ...] = FILES
    edition: int = 1

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]
        return CACHE / f"pios-{digest}"


def root_of(flavour: str, release: str) -> Path:
    """The root that the nodes of a lab share, made now if it is not there yet (two minutes)."""
    base = base_root(release)
    if flavour == "plain":
        return base
    recipe = PiosRecipe(base.name)
    with locked(f"kubepi-lab-{recipe.folder.name}", BUILD_SECONDS):
        if not recipe.folder.is_dir():
            build(recipe)
    return recipe.folder


def build(recipe: PiosRecipe) -> None:
    root, log = aside(recipe.folder, "root")
    run(["cp", "-a", str(CACHE / recipe.base), str(root)], log=log)
    keep_preloaded = ["-o", "APT::Keep-Downloaded-Packages=false"]
    install = ["apt-get", *keep_preloaded, "install", "-y", "--no-install-recommends"]
    run([*ALONE, "sh", "-c", INSIDE, str(root), *install, *recipe.packages], log=log)
    for name, text in recipe.files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    # sshd is off until somebody wants it, and its keys are made on each Pi
    for command in (["enable", WIZARD], ["disable", "ssh.service"]):
        run([*ALONE, "sh", "-c", INSIDE, str(root), "systemctl", *command], log=log)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    forget_machine(root)
    (root / "etc/machine-id").write_text("uninitialized\n")
    (root / "etc/hostname").write_text(f"{HOST_NAME}\n")
    root.rename(recipe.folder)
