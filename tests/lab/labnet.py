"""The network of a lab: a bridge that passes multicast, a subnet nobody else uses, and NAT."""

import json
import shlex
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from labclone import STATES, Clone
from labrun import LabError, locked, run, wait_until

SUBNETS = IPv4Network("10.99.0.0/16")
GATEWAY = 254
FIRST_NODE = 11
SUBNET_FILE = "subnet"
LOCK_SECONDS = 30
VANISH_SECONDS = 120
TABLES = ("filter", "nat")


def claim_subnet(clone: Clone) -> IPv4Network:
    """A /24 that no interface, route or other lab here uses; noted in the state folder."""
    with locked("kubepi-lab-subnets", LOCK_SECONDS):
        used = subnets_in_use()
        choices = list(SUBNETS.subnets(new_prefix=24))
        start = int(clone.id[:2], 16)
        for choice in choices[start:] + choices[:start]:
            if not any(choice.overlaps(other) for other in used):
                (clone.state / SUBNET_FILE).write_text(f"{choice}\n")
                return choice
    raise LabError(f"no free subnet in {SUBNETS}")


def subnets_in_use() -> list[IPv4Network]:
    used = [IPv4Network(file.read_text().strip()) for file in STATES.glob(f"*/{SUBNET_FILE}")]
    for link in ip_json("-4", "addr"):
        for address in link.get("addr_info", []):
            used.append(IPv4Interface(f"{address['local']}/{address['prefixlen']}").network)
    for route in ip_json("-4", "route", "show", "table", "all"):
        if route["dst"] != "default":
            used.append(IPv4Network(route["dst"], strict=False))
    # A wide route, such as a VPN's for all of 10.0.0.0/8, gives way to a narrower one.
    return [network for network in used if network.prefixlen > SUBNETS.prefixlen]


def subnet_of(clone: Clone) -> IPv4Network:
    try:
        return IPv4Network((clone.state / SUBNET_FILE).read_text().strip())
    except FileNotFoundError:
        raise LabError("no lab of this clone is up; `lab up 3` makes one") from None


def gateway(subnet: IPv4Network) -> IPv4Address:
    return subnet[GATEWAY]


def node_address(subnet: IPv4Network, number: int) -> IPv4Address:
    return subnet[FIRST_NODE - 1 + number]


def make_network(clone: Clone, subnet: IPv4Network) -> None:
    bridge = clone.bridge
    # Without snooping the bridge floods multicast to all nodes, as a plain switch does.
    run(["ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0"])
    # A fixed address: the bridge would change its own whenever a node with a lower one comes.
    run(["ip", "link", "set", bridge, "address", f"02:99:00:{colons(clone.id)}", "up"])
    run(["ip", "addr", "add", f"{gateway(subnet)}/{subnet.prefixlen}", "dev", bridge])
    # By interface and not by address: with bridge netfilter on, bridged packets come by as well.
    iptables(clone, "nat", "-A", "POSTROUTING", "-s", str(subnet), "!", "-o", bridge,
             "-j", "MASQUERADE")  # fmt: skip
    for direction in ("-i", "-o"):
        iptables(clone, "filter", "-I", "FORWARD", direction, bridge, "-j", "ACCEPT")


def colons(hexadecimal: str) -> str:
    return ":".join(hexadecimal[i : i + 2] for i in range(0, len(hexadecimal), 2))


def iptables(clone: Clone, table: str, *rule: str) -> None:
    comment = ("-m", "comment", "--comment", clone.mark)
    run(["iptables", "-w", "20", "-t", table, *rule[:-2], *comment, *rule[-2:]])


def rules(clone: Clone) -> list[tuple[str, str]]:
    """This lab's iptables rules, each with its table, as iptables-save writes them."""
    found = []
    for table in TABLES:
        listing = run(["iptables", "-w", "20", "-t", table, "-S"]).stdout
        found += [(table, line) for line in listing.splitlines() if clone.mark in line]
    return found


def links(clone: Clone) -> list[str]:
    """This lab's network devices: the bridge and one end of a pair for each node that runs."""
    return [
        link["ifname"]
        for link in ip_json("link")
        if link["ifname"] == clone.bridge
        or (link["ifname"].startswith("vb-") and link["ifname"].endswith(f"-{clone.id}"))
    ]


def wait_for_no_link(machine: str) -> None:
    """The device of a node goes with its last process, but a moment later."""
    device = Path("/sys/class/net", f"vb-{machine}")
    if not wait_until(lambda: not device.exists(), VANISH_SECONDS):
        raise LabError(f"the network device {device.name} outlives its node")


def remove_network(clone: Clone) -> None:
    for name in links(clone):
        run(["ip", "link", "delete", name], check=name == clone.bridge)
    for table, rule in rules(clone):
        words = shlex.split(rule)
        run(["iptables", "-w", "20", "-t", table, "-D", *words[1:]])


def ip_json(*arguments: str) -> list[dict[str, Any]]:
    out = run(["ip", "-json", *arguments]).stdout
    answer: list[dict[str, Any]] = json.loads(out or "[]")
    return answer


def named_namespaces(clone: Clone) -> list[str]:
    return [str(path) for path in Path("/run/netns").glob(f"*{clone.id}*")]
