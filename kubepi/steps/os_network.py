"""Network services of the OS that would fight with kubepi: NetworkManager, Wi-Fi, avahi.

May touch: own drop-ins of NetworkManager and udev, kubepi's block in avahi-daemon.conf.
Tests: tests/steps/test_os_network.py and tests/laws.
"""

import re
from dataclasses import dataclass

from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.files import File, begin_mark, end_mark, with_block, without_block
from kubepi.steps.identity import AVAHI
from kubepi.steps.text import read_text, write_text

NETWORK_MANAGER = "NetworkManager.service"
# += adds to the list that netplan or the user made
UNMANAGED = File(
    "/etc/NetworkManager/conf.d/90-kubepi.conf",
    "[keyfile]\n"
    "unmanaged-devices+=interface-name:cni0;interface-name:flannel*;interface-name:veth*\n",
)
WIFI_AWAKE = File(
    "/etc/NetworkManager/conf.d/90-kubepi-powersave.conf",
    "[connection]\nwifi.powersave=2\n",  # 2: disable (NetworkManager.conf(5))
)
# Without NetworkManager nothing has a setting for it, and each new interface starts asleep.
WIFI_AWAKE_RULE = File(
    "/etc/udev/rules.d/90-kubepi-wifi.rules",
    'ACTION=="add", SUBSYSTEM=="net", KERNEL=="wl*", '
    'RUN+="/usr/sbin/iw dev %k set power_save off"\n',
)
AVAHI_CONF = "/etc/avahi/avahi-daemon.conf"
AVAHI_LABEL = "avahi"


@dataclass(frozen=True)
class NetworkManagerIgnores:
    """The interfaces of pods are the CNI plugin's; NetworkManager would ask DHCP for them."""

    @property
    def name(self) -> str:
        return f"file {UNMANAGED.path}"

    def check(self, host: Host) -> Finding | None:
        return UNMANAGED.check(host) or _not_reloaded(host, NETWORK_MANAGER)

    def apply(self, host: Host) -> None:
        state.want_restart(host, NETWORK_MANAGER)
        UNMANAGED.apply(host)
        _reload_network_manager(host)


@dataclass(frozen=True)
class WifiPowerSaveOff:
    """A radio that sleeps costs seconds of latency and lost nodes."""

    interface: str
    has_network_manager: bool

    @property
    def name(self) -> str:
        return f"Wi-Fi power save of {self.interface} off"

    def _file(self) -> File:
        return WIFI_AWAKE if self.has_network_manager else WIFI_AWAKE_RULE

    def check(self, host: Host) -> Finding | None:
        found = self._file().check(host)
        if found is not None:
            return found
        asked = host.probe(["iw", "dev", self.interface, "get", "power_save"])
        return Finding("is on") if asked.ok and asked.stdout.strip().endswith("on") else None

    def apply(self, host: Host) -> None:
        self._file().apply(host)
        # NetworkManager reads its file when the connection starts the next time
        if host.probe(["iw", "dev", self.interface, "get", "power_save"]).ok:
            host.run(["iw", "dev", self.interface, "set", "power_save", "off"])


@dataclass(frozen=True)
class AvahiOnlyOn:
    """avahi publishes the addresses of the LAN only; those of bridges rename the node to -2."""

    interfaces: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"avahi only on {', '.join(self.interfaces)}"

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, AVAHI_CONF)
        if text is not None and self._wanted(text) != text:
            return Finding(f"{AVAHI_CONF} says otherwise")
        return _not_reloaded(host, AVAHI)

    def apply(self, host: Host) -> None:
        state.want_restart(host, AVAHI)
        text = read_text(host, AVAHI_CONF)
        if text is not None:
            write_text(host, AVAHI_CONF, self._wanted(text))
        _restart_avahi(host)

    def _wanted(self, text: str) -> str:
        """A line that the user wrote stays the only one."""
        rest = without_block(text, AVAHI_LABEL)
        if re.search(r"^\s*allow-interfaces\s*=", rest, re.MULTILINE):
            return rest
        line = f"allow-interfaces={','.join(self.interfaces)}"
        block = f"{begin_mark(AVAHI_LABEL)}\n{line}\n{end_mark(AVAHI_LABEL)}\n"
        section = re.search(r"^\[server\][ \t\r]*\n", rest, re.MULTILINE)
        if section is None:
            return with_block(text, AVAHI_LABEL, ("[server]", line))
        return rest[: section.end()] + block + rest[section.end() :]


@dataclass(frozen=True)
class AvahiEverywhere:
    """avahi-daemon.conf without kubepi's block."""

    @property
    def name(self) -> str:
        return "avahi as before"

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, AVAHI_CONF) or ""
        if without_block(text, AVAHI_LABEL) != text:
            return Finding("is kept off bridges")
        return _not_reloaded(host, AVAHI)

    def apply(self, host: Host) -> None:
        state.want_restart(host, AVAHI)
        text = read_text(host, AVAHI_CONF)
        if text is not None:
            write_text(host, AVAHI_CONF, without_block(text, AVAHI_LABEL))
        _restart_avahi(host)


def _not_reloaded(host: Host, unit: str) -> Finding | None:
    return Finding("is not in force yet") if host.exists(state.restart_flag(unit)) else None


def _reload_network_manager(host: Host) -> None:
    host.run(["systemctl", "try-reload-or-restart", NETWORK_MANAGER])
    host.remove(state.restart_flag(NETWORK_MANAGER))


def _restart_avahi(host: Host) -> None:
    host.run(["systemctl", "try-restart", AVAHI])
    host.remove(state.restart_flag(AVAHI))
