"""systemd, apt and kernel tools of a FakePi, as effects recorded from real runs in the lab.

What is running is forgotten at a power cut; what a program wrote without a sync is lost too.
`boot(pi)` starts what is enabled, as systemd does.
"""

import re
from collections.abc import Generator, Sequence
from pathlib import Path

from tests.disk_programs import install_disk_programs
from tests.fakes import Answer, FakePi

Effects = Generator[None, None, Answer]
STATUS = "/var/lib/dpkg/status"
HOLDS = "/var/lib/dpkg/holds"
WANTS = "/etc/systemd/system/multi-user.target.wants"
UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system")

# package -> its dependencies, the files it brings, the units its postinst enables
PACKAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "containerd": (("runc",), ("/usr/bin/ctr",), ("containerd.service",)),
    "runc": ((), ("/usr/bin/runc",), ()),
    "iptables": ((), ("/usr/sbin/iptables",), ()),
    "conntrack": ((), ("/usr/sbin/conntrack",), ()),
    "ethtool": ((), ("/usr/sbin/ethtool",), ()),
    "socat": ((), ("/usr/bin/socat",), ()),
    "openssl": ((), ("/usr/bin/openssl",), ()),
    "kubeadm": ((), ("/usr/bin/kubeadm",), ()),
    "kubectl": ((), ("/usr/bin/kubectl",), ()),
    "kubernetes-cni": ((), ("/opt/cni/bin/bridge",), ()),
    "kubelet": ((), ("/usr/bin/kubelet",), ("kubelet.service",)),
    "nfs-common": (("rpcbind",), ("/usr/sbin/mount.nfs",), ("rpc-statd.service",)),
    "rpcbind": ((), ("/usr/sbin/rpcbind",), ("rpcbind.service", "rpcbind.socket")),
    "rsync": ((), ("/usr/bin/rsync",), ()),
    "nfs-kernel-server": (
        ("rpcbind", "nfs-common"), ("/usr/sbin/exportfs",), ("nfs-server.service",)
    ),
}


def install_programs(pi: FakePi) -> None:
    """Everything init, join and reset start."""
    install_disk_programs(pi)
    pi.looks("systemctl", "show", script=_systemctl_show)
    for missing in ("nft", "vcgencmd", "timedatectl", "journalctl"):
        pi.looks(missing, script=lambda pi, argv, stdin: (127, "not found"))
    pi.looks("systemctl", "is-failed", script=lambda pi, argv, stdin: (1, "inactive"))
    for verb in ("enable", "disable", "start", "stop", "restart", "daemon-reload", "mask",
                 "unmask", "kill", "try-restart"):
        pi.changes("systemctl", verb, script=_systemctl)
    pi.looks("dpkg-query", script=_dpkg_query)
    pi.looks("dpkg", "--audit", script=lambda pi, argv, stdin: (0, _audit(pi)))
    pi.changes("dpkg", script=_dpkg)
    pi.looks("apt-mark", "showhold", script=lambda pi, argv, stdin: (0, pi.read(HOLDS) or ""))
    pi.changes("apt-mark", "hold", script=_hold)
    pi.changes("apt-get", script=_apt_get)
    pi.changes("sysctl", script=_sysctl)
    pi.changes("modprobe", script=lambda pi, argv, stdin: _modprobe(pi, argv[1]))
    pi.looks("modprobe", "--dry-run", script=lambda pi, argv, stdin: (0, ""))
    pi.looks("iptables-save", script=lambda pi, argv, stdin: (0, pi.read("/proc/rules") or ""))
    pi.looks("ip6tables-save", script=lambda pi, argv, stdin: (0, ""))
    pi.changes("iptables-restore", script=_iptables_restore)
    pi.changes("ip", "link", "delete", script=_ip_link_delete)


def boot(pi: FakePi) -> None:
    """Start what is enabled and what needs nothing but its files."""
    for unit in pi.listdir(WANTS):
        if _unit_file(pi, unit) is not None:
            pi.running.add(unit)


# --- systemd ------------------------------------------------------------------------------


def _unit_file(pi: FakePi, unit: str) -> str | None:
    return next((f"{d}/{unit}" for d in UNIT_FOLDERS if pi.read(f"{d}/{unit}") is not None), None)


def _systemctl_show(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    unit = _full(argv[-1])
    loaded = "loaded" if _unit_file(pi, unit) else "not-found"
    enabled = "enabled" if pi.exists(f"{WANTS}/{unit}") else "disabled"
    active = "active" if unit in pi.running else "inactive"
    return 0, f"LoadState={loaded}\nUnitFileState={enabled}\nActiveState={active}\n"


def _full(unit: str) -> str:
    return unit if "." in unit else f"{unit}.service"


def _systemctl(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    verb, units = argv[1], [_full(word) for word in argv[2:] if not word.startswith("-")]
    yield
    for unit in units:
        link = pi.path(f"{WANTS}/{unit}")
        own = pi.path(f"/etc/systemd/system/{unit}")
        file = _unit_file(pi, unit)
        if verb in ("mask", "unmask"):
            own.unlink(missing_ok=True)
            if verb == "mask":
                own.symlink_to("/dev/null")
                pi.running.discard(unit)
            yield
            continue
        if file is None and verb != "disable":
            return 5, f"Unit {unit} not found."
        if verb == "enable" and not pi.exists(f"{WANTS}/{unit}"):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file or "")
        if verb == "disable":
            link.unlink(missing_ok=True)
            pi.running.discard(unit)
        if verb in ("start", "restart"):
            pi.running.add(unit)
        if verb == "stop":
            pi.running.discard(unit)
        yield
    return 0, ""


# --- packages -----------------------------------------------------------------------------


def _packages(pi: FakePi) -> dict[str, str]:
    """name -> version, or `half` where a cut left it."""
    rows = (line.split(" ", 1) for line in (pi.read(STATUS) or "").splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def write(pi: FakePi, name: str, text: str, mode: int = 0o644) -> None:
    """As most programs write: in place, without a sync."""
    path = pi.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def write_durably(pi: FakePi, name: str, text: str) -> None:
    """As dpkg writes its own files: a cut leaves the old or the new."""
    write(pi, name, text)
    path = pi.path(name)
    disk = pi.fake_disk
    disk.make_durable(path)
    for folder in (path.parent, *path.parents):
        if folder.is_relative_to(pi.root):
            disk.make_durable(folder)


def _save_packages(pi: FakePi, packages: dict[str, str]) -> None:
    write_durably(pi, STATUS, "".join(f"{n} {v}\n" for n, v in sorted(packages.items())))


def _dpkg_query(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
    known = _packages(pi)
    if "Eflag" in argv[3]:
        flags = {name: "reinstreq" if v == "half" else "ok" for name, v in known.items()}
        return 0, "".join(f"{name} {flag}\n" for name, flag in flags.items())
    rows = []
    for name in argv[4:]:
        if name in known:
            state = "half-installed" if known[name] == "half" else "installed"
            rows.append(f"{name} {state} {known[name]}\n")
    return 0, "".join(rows)


def _audit(pi: FakePi) -> str:
    return "".join(name for name, version in _packages(pi).items() if version == "half")


def _dpkg(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    """--configure has nothing to do here; --remove takes half-installed packages out."""
    yield
    if "--remove" in argv:
        gone = argv[list(argv).index("--remove") + 1 :]
        _save_packages(pi, {n: v for n, v in _packages(pi).items() if n not in gone})
        yield
    return 0, ""


def _hold(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    held = {*(pi.read(HOLDS) or "").split(), *argv[2:]}
    write_durably(pi, HOLDS, "".join(f"{name}\n" for name in sorted(held)))
    return 0, ""


def _named(word: str) -> tuple[str, str]:
    match = re.match(r"(?:.*/)?([a-z-]+)(?:_([0-9.-]+)_[a-z0-9]+\.deb|=([0-9.]+)-\*)?$", word)
    assert match is not None, word
    return match[1], match[2] or (f"{match[3]}-1.1" if match[3] else "1.0-1")


def _apt_get(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects | Answer:
    verbs = [word for word in argv if word in ("install", "update", "purge")]
    if "--simulate" in argv:
        new = [n for n, _ in _closure(argv) if n not in _packages(pi)]
        return 0, "".join(f"Inst {name} (1.0-1 Debian:13/stable [arm64])\n" for name in new)
    if verbs == ["purge"]:
        return _purge(pi, [word for word in argv if word in PACKAGES])
    if verbs == ["install"]:
        broken = [n for n, v in _packages(pi).items() if v == "half" and n.startswith("kube")]
        if broken:  # a kit's packages are in no repository
            return 100, f"E: The package {broken[0]} needs to be reinstalled, but I can't find it"
        return _install(pi, argv)
    return 0, ""


def _closure(argv: Sequence[str]) -> list[tuple[str, str]]:
    words = [w for w in argv[list(argv).index("install") + 1 :] if not w.startswith("-")]
    wanted = [_named(word) for word in words]
    needed = [(dep, "1.0-1") for name, _ in wanted for dep in PACKAGES[name][0]]
    return [*needed, *wanted]


def _install(pi: FakePi, argv: Sequence[str]) -> Effects:
    words = list(argv)
    if "--fix-broken" in words:
        targets = [(name, "1.0-1") for name, v in _packages(pi).items() if v == "half"]
    else:
        targets = _closure(argv)
    for name, version in targets:
        packages = _packages(pi)
        if packages.get(name) == version:
            continue
        _save_packages(pi, packages | {name: "half"})
        yield
        for file in PACKAGES[name][1]:
            write_durably(pi, file, name)
        for unit in PACKAGES[name][2]:
            write_durably(pi, f"/usr/lib/systemd/system/{unit}", f"{name} unit")
            link = pi.path(f"{WANTS}/{unit}")
            if unit == "containerd.service" and not pi.exists(f"{WANTS}/{unit}"):
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(f"/usr/lib/systemd/system/{unit}")
                pi.fake_disk.make_all_durable()
                pi.running.add(unit)
        yield
        _save_packages(pi, _packages(pi) | {name: version})
        yield
    return 0, ""


def _purge(pi: FakePi, names: list[str]) -> Effects:
    for name in names:
        for unit in PACKAGES[name][2]:
            pi.path(f"{WANTS}/{unit}").unlink(missing_ok=True)
            pi.path(f"/usr/lib/systemd/system/{unit}").unlink(missing_ok=True)
            pi.running.discard(unit)
        for file in PACKAGES[name][1]:
            pi.path(file).unlink(missing_ok=True)
            _remove_empty_folders(pi.path(file).parent)
        yield
        # a journal keeps names in order: the status is not on the disk before the removals
        pi.fake_disk.make_all_durable()
        _save_packages(pi, {n: v for n, v in _packages(pi).items() if n != name})
        held = [n for n in (pi.read(HOLDS) or "").split() if n != name]
        write_durably(pi, HOLDS, "".join(f"{n}\n" for n in held))
        yield
    return 0, ""


def _remove_empty_folders(folder: Path) -> None:
    """As dpkg does with the folders of a package."""
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


# --- kernel -------------------------------------------------------------------------------


def _sysctl(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    for line in Path(argv[2]).read_text().splitlines():
        key, _, value = line.partition(" = ")
        write(pi, "/proc/sys/" + key.replace(".", "/"), value + "\n")
    return 0, ""


def _modprobe(pi: FakePi, module: str) -> Effects:
    yield
    pi.path(f"/sys/module/{module}").mkdir(parents=True, exist_ok=True)
    return 0, ""


def _iptables_restore(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    write(pi, "/proc/rules", stdin)
    return 0, ""


def _ip_link_delete(pi: FakePi, argv: Sequence[str], stdin: str) -> Effects:
    yield
    pi.path(f"/sys/class/net/{argv[3]}").rmdir()
    return 0, ""
