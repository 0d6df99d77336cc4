"""A Pi from a prepared card joins a Wi-Fi: before any network is up, and without a daemon.

cloud-init's own way loses it on Raspberry Pi OS trixie, and its images ship with the radio off.
May touch: one own profile of NetworkManager or netplan, NetworkManager's switch, rfkill's.
Tests: tests/steps/test_wifi.py.
"""

import json
import re
import uuid
from dataclasses import dataclass

from kubepi.decide.goal import Secret
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding

KEY = Secret("wifi-psk")
PROFILE = "/etc/NetworkManager/system-connections/kubepi-wifi.nmconnection"
NETPLAN = "/etc/netplan/90-kubepi-wifi.yaml"
SWITCH = "/var/lib/NetworkManager/NetworkManager.state"
RFKILL = "/var/lib/systemd/rfkill"
NAMESPACE = uuid.UUID("5b8b3c8e-31e2-4e0e-8c11-6f9b2f0a7d52")


@dataclass(frozen=True)
class WifiJoined:
    """A profile with the key, for root alone, and the radio switched on."""

    ssid: str
    country: str
    has_network_manager: bool

    @property
    def name(self) -> str:
        return f"Wi-Fi {self.ssid}"

    def check(self, host: Host) -> Finding | None:
        file, content = self._profile(state.read_secret(host, KEY) or "")
        if host.read(file) != content or host.mode(file) != 0o600:
            return Finding("is not known")
        off = _switched_off(host)
        return Finding(f"is switched off in {off[0]}") if off else None

    def apply(self, host: Host) -> None:
        file, content = self._profile(state.need_secret(host, KEY))
        host.write(file, content, 0o600)
        for name in _switched_off(host):
            text = host.read(name) or ""
            host.write(name, _on(name, text), host.mode(name) or 0o644)

    def _profile(self, key: str) -> tuple[str, str]:
        if self.has_network_manager:
            return PROFILE, _keyfile(self.ssid, key)
        return NETPLAN, _netplan(self.ssid, self.country, key)


def _keyfile(ssid: str, key: str) -> str:
    """nm-settings-keyfile(5): a list of bytes is a name with any character in it."""
    return (
        f"[connection]\nid=kubepi-wifi\nuuid={uuid.uuid5(NAMESPACE, ssid)}\ntype=wifi\n\n"
        f"[wifi]\nmode=infrastructure\nssid={''.join(f'{byte};' for byte in ssid.encode())}\n\n"
        f"[wifi-security]\nkey-mgmt=wpa-psk\npsk={key}\n\n"
        "[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"
    )


def _netplan(ssid: str, country: str, key: str) -> str:
    """Ubuntu; 64 hexadecimal digits are taken for the key itself (netplan's YAML reference)."""
    network = {"dhcp4": True, "optional": True, "regulatory-domain": country}
    points = {"access-points": {ssid: {"password": key}}}
    wifis = {"wifis": {"wlan0": network | points}}
    return json.dumps({"network": {"version": 2} | wifis}, ensure_ascii=False) + "\n"


def _switched_off(host: Host) -> list[str]:
    """NetworkManager's state, and what systemd-rfkill gives back to each radio at a boot."""
    radios = [f"{RFKILL}/{name}" for name in host.listdir(RFKILL) if name.endswith(":wlan")]
    found = {name: host.read(name) for name in (SWITCH, *radios)}
    return [name for name, text in found.items() if text is not None and _on(name, text) != text]


def _on(name: str, text: str) -> str:
    if name == SWITCH:
        return re.sub(r"^WirelessEnabled=false$", "WirelessEnabled=true", text, flags=re.MULTILINE)
    return re.sub(r"^1$", "0", text, flags=re.MULTILINE)
