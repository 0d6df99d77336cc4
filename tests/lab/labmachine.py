"""The machine that the lab runs on: its packages, its kernel settings, its view of Debian."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labrun import LabError, run

PACKAGE_OF = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "zstd": "zstd",
}
# Three nodes need more inotify instances than the default of 128.
SYSCTLS = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 1024}
RESOLV_CONF = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
DEBIAN = "http://deb.debian.org/debian"
DEBIAN_SECURITY = "http://deb.debian.org/debian-security"
# What makes apt work on this machine makes it work in a node.
APT_OPTIONS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from, and the apt options that it needs for that."""

    main: str
    security: str
    options: tuple[str, ...]


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes namespaces, mounts and a network bridge")


def install_packages(package_of: Mapping[str, str] = PACKAGE_OF) -> None:
    missing = sorted({package for program, package in package_of.items() if not found(program)})
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if run(install, check=False).returncode != 0:
        run(["apt-get", "update"])
        run(install)


def found(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def set_sysctls() -> None:
    for name, wanted in SYSCTLS.items():
        file = Path("/proc/sys", name)
        if int(file.read_text()) < wanted:
            file.write_text(str(wanted))


def resolv_conf() -> str:
    """The name servers of this machine; a stub on loopback is of no use to a node."""
    return next(file for file in RESOLV_CONF if file.is_file()).read_text()


def debian_mirror() -> Mirror:
    """Read from this machine's own apt sources; Debian's own address where they name none."""
    sources = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages"],
        check=False,
    ).stdout  # fmt: skip
    main, security = DEBIAN, DEBIAN_SECURITY
    for words in (line.split() for line in reversed(sources.splitlines())):
        if len(words) < 3 or words[2] != "main" or "debian" not in words[0]:
            continue
        if words[1].endswith("-security"):
            security = words[0].rstrip("/")
        elif "-" not in words[1]:
            main = words[0].rstrip("/")
    settings = run(["apt-config", "dump", *APT_OPTIONS]).stdout
    return Mirror(main, security, tuple(settings.splitlines()))
