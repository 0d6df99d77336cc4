"""Network interfaces and the one that the node will use, with the reason.

On the running machine netifaces tells addresses and gateways; below another root (--root, tests)
the same is read from the kernel's tables in /proc/net, which are files.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

from kubepi.decide.facts import Interface, LinkKind, Network
from kubepi.machine.host import Host
from kubepi.native import load_netifaces

# Made by container runtimes, CNI plugins, hypervisors and VPNs: they lead to no other Pi.
# systemd-nspawn's host0 is virtual too, but is that machine's only way out.
VIRTUAL = re.compile(
    r"cni\d|flannel|veth|v[be]-|docker|br-|virbr|vnet|tailscale|wg|tun|tap|zt|cali|cilium|lxc|lxd"
    r"|kube|nodelocaldns|podman|weave|vxlan|geneve|dummy|ifb|sit\d|gre|ip6|tunl|teql"
)
LOOPBACK = "lo"
IPV4, LINK = 2, 17  # AF_INET and AF_PACKET, netifaces' keys


@dataclass(frozen=True)
class Tables:
    """Addresses by interface, and (gateway, interface) of each default route, best first."""

    addresses: dict[str, tuple[str, ...]]
    gateways: tuple[tuple[str, str], ...]


def read_network(host: Host) -> tuple[tuple[Interface, ...], Network | None]:
    """All interfaces but the loopback one, and the one to use."""
    tables = from_netifaces(load_netifaces()) if host.root == Path("/") else from_files(host)
    interfaces = tuple(_interface(host, name, tables) for name in _names(host))
    return interfaces, choose(interfaces, tables.gateways)


def choose(
    interfaces: Iterable[Interface], gateways: tuple[tuple[str, str], ...]
) -> Network | None:
    """The interface with a default route; wired before wireless where several have one."""
    usable = {link.name: link for link in interfaces if link.kind != "virtual" and _usable(link)}
    ways = {name: gateway for gateway, name in reversed(gateways) if name in usable}
    order = [name for _, name in gateways]
    pool = [usable[name] for name in ways] or list(usable.values())
    if not pool:
        return None
    best = min(
        pool,
        key=lambda link: (
            link.kind == "wireless",
            order.index(link.name) if link.name in order else 0,
            link.name,
        ),
    )
    gateway = ways.get(best.name)
    address = ip_interface(_reaching(gateway, _usable(best)))
    return Network(
        interface=best.name,
        address=str(address.ip),
        prefix=address.network.prefixlen,
        is_wireless=best.kind == "wireless",
        gateway=gateway,
        reason=_reason(best, pool, gateway),
    )


def wired_mac(interfaces: Iterable[Interface]) -> str | None:
    """Of the first wired interface that has one, in the order of the names."""
    wired = sorted(
        (link.name, link.mac) for link in interfaces if link.kind == "wired" and link.mac
    )
    return wired[0][1] if wired else None


def from_netifaces(netifaces: Any) -> Tables:
    addresses = {
        name: tuple(
            f"{found['addr']}/{_prefix(found['netmask'])}"
            for found in netifaces.ifaddresses(name).get(IPV4, [])
            if "addr" in found and "netmask" in found
        )
        for name in netifaces.interfaces()
    }
    routes = sorted(netifaces.gateways().get(IPV4, []), key=lambda route: not route[2])
    return Tables(addresses, tuple((route[0], route[1]) for route in routes))


def from_files(host: Host) -> Tables:
    """An address belongs to the interface that the route to its own network leaves by."""
    routes = [line.split() for line in (host.read("/proc/net/route") or "").splitlines()[1:]]
    local = _local_addresses(host.read("/proc/net/fib_trie") or "")
    addresses: dict[str, tuple[str, ...]] = {}
    defaults: list[tuple[int, str, str]] = []
    for name, destination, gateway, _flags, _, _, metric, mask, *_ in routes:
        if int(mask, 16) == 0:
            defaults.append((int(metric), _dotted(gateway), name))
        elif int(gateway, 16) == 0:
            network = ip_network(f"{_dotted(destination)}/{_dotted(mask)}")
            own = (f"{ip}/{network.prefixlen}" for ip in local if ip_address(ip) in network)
            addresses[name] = (*addresses.get(name, ()), *own)
    return Tables(addresses, tuple((gateway, name) for _, gateway, name in sorted(defaults)))


def _local_addresses(fib_trie: str) -> list[str]:
    """The trie shows an address, then on the next line "/32 host LOCAL" if it is our own."""
    lines = fib_trie.splitlines()
    own = (
        before.rpartition("|--")[2].strip()
        for before, line in pairwise(lines)
        if line.strip() == "/32 host LOCAL"
    )
    return list(dict.fromkeys(own))


def _dotted(hexadecimal: str) -> str:
    """/proc/net/route has addresses as the kernel keeps them, lowest byte first."""
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(hexadecimal)))


def _prefix(netmask: str) -> int:
    return ip_network(f"0.0.0.0/{netmask}").prefixlen


def _names(host: Host) -> list[str]:
    # a folder has other files too: bonding_masters
    folder = "/sys/class/net"
    names = (name for name in host.listdir(folder) if host.is_dir(f"{folder}/{name}"))
    return [name for name in names if name != LOOPBACK]


def _interface(host: Host, name: str, tables: Tables) -> Interface:
    mac = (host.read(f"/sys/class/net/{name}/address") or "").strip()
    return Interface(
        name=name,
        kind=_kind(host, name),
        mac=mac if mac.strip("0:") else None,
        addresses=tables.addresses.get(name, ()),
    )


def _kind(host: Host, name: str) -> LinkKind:
    if VIRTUAL.match(name):
        return "virtual"
    folder = f"/sys/class/net/{name}"
    is_wireless = host.exists(f"{folder}/wireless") or host.exists(f"{folder}/phy80211")
    return "wireless" if is_wireless else "wired"


def _usable(link: Interface) -> list[str]:
    """Without the addresses that a machine gives itself when no DHCP server answers."""
    return [address for address in link.addresses if not address.startswith("169.254.")]


def _reaching(gateway: str | None, addresses: list[str]) -> str:
    for address in addresses:
        if gateway is not None and ip_address(gateway) in ip_interface(address).network:
            return address
    return addresses[0]


def _reason(best: Interface, pool: list[Interface], gateway: str | None) -> str:
    others = ", ".join(link.name for link in pool if link is not best)
    if gateway is None:
        return "no default route" + (f"; chosen before {others}" if others else "; the only one")
    if not others:
        return f"has the default route, to {gateway}"
    mixed = any(link.kind != best.kind for link in pool)
    why = "wired before wireless" if mixed else "its route is the better one"
    return f"has a default route like {others}; {why}"
