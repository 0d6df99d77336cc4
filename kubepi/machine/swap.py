"""Which mechanisms make swap on this machine, told by their own files and not by the OS name.

Sources: the packages dphys-swapfile, zram-tools, systemd-zram-generator (zram-generator.conf(5))
and rpi-swap (swap.conf(5)) as Debian and Raspberry Pi OS ship them.
"""

from kubepi.machine.host import Host

UNITS = {
    "dphys-swapfile.service": "dphys-swapfile",
    "zramswap.service": "zram-tools",
    "zram-config.service": "zram-config",
}
LINKS = "/etc/systemd/system"
# /run is left out: rpi-swap's generator writes there what its own settings say.
FOLDERS = ("/etc", "/usr/local/lib", "/usr/lib")
GENERATORS = "/usr/lib/systemd/system-generators"

Sections = dict[str, dict[str, str]]


def mechanisms(host: Host) -> tuple[str, ...]:
    """Names of what would make swap at the next boot."""
    units = dict.fromkeys(UNITS.get(_unit(link), _unit(link)) for link in enabled_links(host))
    found = list(units)
    if is_rpi_swap_on(host):
        found.append("rpi-swap")
    if zram_sections(host):
        found.append("zram-generator")
    if any(is_swap_line(line) for line in (host.read("/etc/fstab") or "").splitlines()):
        found.append("fstab")
    return tuple(found)


def in_use(host: Host) -> tuple[str, ...]:
    """Devices and files that are swap at the moment."""
    lines = (host.read("/proc/swaps") or "").splitlines()[1:]
    return tuple(line.split()[0] for line in lines if line.strip())


def enabled_links(host: Host) -> list[str]:
    """Links that start a swap unit at boot, below /etc/systemd/system."""
    folders = [name for name in host.listdir(LINKS) if name.endswith((".wants", ".requires"))]
    links = [f"{LINKS}/{folder}/{unit}" for folder in folders
             for unit in host.listdir(f"{LINKS}/{folder}")
             if unit in UNITS or unit.endswith(".swap")]  # fmt: skip
    return [link for link in links if host.link_target(f"{LINKS}/{_unit(link)}") != "/dev/null"]


def is_rpi_swap_on(host: Host) -> bool:
    if not host.exists(f"{GENERATORS}/rpi-swap-generator"):
        return False
    settings = merged(host, "rpi/swap.conf")
    return settings.get("Main", {}).get("Mechanism", "auto") != "none"


def zram_sections(host: Host, but: str = "") -> tuple[str, ...]:
    """Devices that zram-generator makes swap of, "zram0", if the drop-in `but` were not there.

    Those with a file system do not count.
    """
    if not host.exists(f"{GENERATORS}/zram-generator"):
        return ()
    return tuple(
        name
        for name, settings in merged(host, "systemd/zram-generator.conf", but).items()
        if name.startswith("zram")
        and "mount-point" not in settings
        and settings.get("fs-type", "swap") == "swap"
        and settings.get("host-memory-limit", settings.get("memory-limit")) != "0"
    )


def is_swap_line(line: str) -> bool:
    fields = line.split()
    if line.lstrip().startswith("#") or len(fields) < 3 or fields[2] != "swap":
        return False
    return len(fields) < 4 or "noauto" not in fields[3].split(",")


def merged(host: Host, name: str, but: str = "") -> Sections:
    """A main file, then drop-ins by their names, a later setting over an earlier one."""
    main = [f"{folder}/{name}" for folder in FOLDERS if host.exists(f"{folder}/{name}")]
    drop_ins: dict[str, str] = {}
    for folder in FOLDERS:
        for entry in host.listdir(f"{folder}/{name}.d"):
            if entry.endswith(".conf") and entry != but:
                drop_ins.setdefault(entry, f"{folder}/{name}.d/{entry}")
    sections: Sections = {}
    for path in [*main[:1], *(drop_ins[entry] for entry in sorted(drop_ins))]:
        for section, settings in _parse(host.read(path) or "").items():
            sections.setdefault(section, {}).update(settings)
    return sections


def _parse(text: str) -> Sections:
    sections: Sections = {}
    current: dict[str, str] = {}
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], {})
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            current[key.strip()] = value.strip()
    return sections


def _unit(link: str) -> str:
    return link.rpartition("/")[2]
