"""Swap off in all its kinds, now and at every boot, and back again.

kubelet does not start with swap in use, and zram counts. Each kind is switched off by its own
settings, so that it does not come back with the next boot or package upgrade.
May touch: units' links below /etc/systemd/system, own drop-ins of rpi-swap and zram-generator,
/etc/fstab, /var/lib/kubepi/swap.json. Tests: tests/steps/test_swap.py and tests/laws.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kubepi.errors import CommandFailed
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.machine.swap import (
    enabled_links,
    in_use,
    is_rpi_swap_on,
    is_swap_line,
    mechanisms,
    zram_sections,
)
from kubepi.steps.files import File, FileRestored
from kubepi.steps.text import read_text, write_text

# With this mechanism rpi-swap also deletes /var/swap at the next boot.
RPI_SWAP = File("/etc/rpi/swap.conf.d/99-kubepi.conf", "[Main]\nMechanism=none\n")
ZRAM = "/etc/systemd/zram-generator.conf.d/99-kubepi.conf"
FSTAB = "/etc/fstab"
OFF = "#kubepi# "
LINKS = f"{state.STATE}/swap.json"
REASON = "swap that could not be switched off while running"


@dataclass(frozen=True)
class SwapOff:
    """No swap is in use, and nothing on the machine makes one at the next boot."""

    @property
    def name(self) -> str:
        return "swap off"

    def check(self, host: Host) -> Finding | None:
        found = mechanisms(host)
        if found:
            return Finding(f"comes from {', '.join(found)}")
        used = in_use(host)
        if used and REASON not in (host.read(state.REBOOT) or ""):
            return Finding(f"{', '.join(used)} in use")
        return None

    def apply(self, host: Host) -> None:
        _remove_links(host)
        if is_rpi_swap_on(host):
            RPI_SWAP.apply(host)
        if zram_sections(host):
            _limit_zram(host)
        _edit_fstab(host, lambda line: OFF + line if is_swap_line(line) else line)
        # before swapoff: systemd must not find the units it would start again
        host.run(["systemctl", "daemon-reload"])
        if in_use(host):
            _switch_off(host)


@dataclass(frozen=True)
class SwapRestored:
    """What SwapOff switched off is on again; the swap itself comes back with the next boot."""

    @property
    def name(self) -> str:
        return "swap as before"

    def check(self, host: Host) -> Finding | None:
        if host.exists(LINKS):
            return Finding("units are switched off")
        for path in (RPI_SWAP.path, ZRAM):
            if FileRestored(path).check(host) is not None:
                return Finding(f"{path} is kubepi's")
        return Finding(f"{FSTAB} has lines switched off") if _fstab_is_changed(host) else None

    def apply(self, host: Host) -> None:
        _edit_fstab(host, lambda line: line.removeprefix(OFF))
        for path in (RPI_SWAP.path, ZRAM):
            FileRestored(path).apply(host)
        for link, target in (state.read_json(host, LINKS) or {}).items():
            if not host.exists(link):
                host.symlink(link, target)
        host.remove(LINKS)


def _remove_links(host: Host) -> None:
    """As `systemctl disable` does; written down first, for the way back."""
    found = {link: host.link_target(link) for link in enabled_links(host)}
    links = {link: target for link, target in found.items() if target is not None}
    if links:
        host.mkdir(state.STATE, 0o700)
        state.write_json(host, LINKS, {**(state.read_json(host, LINKS) or {}), **links})
    for link in links:
        host.remove(link)


def _limit_zram(host: Host) -> None:
    """A device is only made where the machine has less memory than its limit."""
    devices = zram_sections(host, but=ZRAM.rpartition("/")[2])
    text = "".join(f"[{device}]\nhost-memory-limit = 0\n" for device in devices)
    File(ZRAM, text).apply(host)


def _switch_off(host: Host) -> None:
    try:
        host.run(["swapoff", "-a"])
    except CommandFailed as error:
        # what is in swap does not fit into memory now; at the next boot there is none
        host.log.line(f"swapoff: {error.sentence}")
    if in_use(host):
        state.want_reboot(host, REASON)


def _edit_fstab(host: Host, change: Callable[[str], str]) -> None:
    text = read_text(host, FSTAB)
    if text is None:
        return
    wanted = "".join(change(line) for line in text.splitlines(keepends=True))
    if wanted != text:
        write_text(host, FSTAB, wanted)


def _fstab_is_changed(host: Host) -> bool:
    return any(line.startswith(OFF) for line in (read_text(host, FSTAB) or "").splitlines())
