"""The interface that a node uses: which one, and the reason that is given."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from kubepi.decide.facts import Interface, LinkKind
from kubepi.machine.host import Host
from kubepi.machine.interfaces import choose, from_files, from_netifaces, read_network, wired_mac


def link(
    name: str, kind: LinkKind, *addresses: str, mac: str | None = "02:00:00:00:00:01"
) -> Interface:
    return Interface(name, kind, mac, addresses)


ETH0 = link("eth0", "wired", "192.168.1.20/24")
ETH1 = link("eth1", "wired", "10.0.0.2/24")
WLAN0 = link("wlan0", "wireless", "192.168.1.21/24")
CNI0 = link("cni0", "virtual", "10.244.1.1/24")
DOWN = link("eth0", "wired")
OWN = link("eth0", "wired", "169.254.3.4/16")
TWO = link("eth0", "wired", "172.16.0.1/12", "192.168.1.20/24")

# interfaces, default routes (best first), the chosen name and address, its reason
CASES = [
    ([ETH0], ["eth0"], "192.168.1.20", "has the default route, to 192.168.1.1"),
    ([ETH0, WLAN0], ["wlan0", "eth0"], "192.168.1.20",
     "has a default route like wlan0; wired before wireless"),
    ([ETH0, WLAN0], ["wlan0"], "192.168.1.21", "has the default route, to 192.168.1.1"),
    ([ETH1, ETH0], ["eth0", "eth1"], "192.168.1.20",
     "has a default route like eth1; its route is the better one"),
    ([DOWN, WLAN0], ["wlan0"], "192.168.1.21", "has the default route, to 192.168.1.1"),
    ([OWN, WLAN0], [], "192.168.1.21", "no default route; the only one"),
    ([ETH0, WLAN0], [], "192.168.1.20", "no default route; chosen before wlan0"),
    # a container's bridge is never chosen, not even with the only route
    ([ETH0, CNI0], ["cni0"], "192.168.1.20", "no default route; the only one"),
    ([TWO], ["eth0"], "192.168.1.20", "has the default route, to 192.168.1.1"),
]  # fmt: skip


@pytest.mark.parametrize(("links", "routes", "address", "reason"), CASES)
def test_choice(links: list[Interface], routes: list[str], address: str, reason: str) -> None:
    network = choose(links, tuple(("192.168.1.1", name) for name in routes))
    assert network is not None
    assert (network.address, network.reason) == (address, reason)
    assert network.is_wireless == (address == "192.168.1.21")


def test_no_network() -> None:
    assert choose([DOWN, OWN, CNI0], ()) is None


def test_wired_mac_is_the_first_by_name() -> None:
    assert (
        wired_mac([WLAN0, link("eth1", "wired", mac="02::2"), link("eth0", "wired", mac="02::1")])
        == "02::1"
    )
    assert wired_mac([WLAN0, CNI0, link("eth0", "wired", mac=None)]) is None


def test_netifaces_is_read_as_the_kernels_tables_are(tmp_path: Path) -> None:
    """The same machine, told by the library and by /proc/net."""
    netifaces = SimpleNamespace(
        interfaces=lambda: ["lo", "eth0", "wlan0"],
        ifaddresses=lambda name: {
            "lo": {2: [{"addr": "127.0.0.1", "netmask": "255.0.0.0"}]},
            "eth0": {17: [{"addr": "dc:a6:32:01:02:03"}],
                     2: [{"addr": "192.168.1.20", "netmask": "255.255.255.0"}]},
            "wlan0": {2: [{"addr": "192.168.1.21", "netmask": "255.255.255.0"}]},
        }[name],
        gateways=lambda: {
            "default": {2: ("192.168.1.1", "eth0")},
            2: [("192.168.1.1", "wlan0", False), ("192.168.1.1", "eth0", True)],
        },
    )  # fmt: skip
    told = from_netifaces(netifaces)
    assert told.gateways == (("192.168.1.1", "eth0"), ("192.168.1.1", "wlan0"))
    assert told.addresses["eth0"] == ("192.168.1.20/24",)
    board = Path(__file__).parents[1] / "boards" / "pi4b-trixie" / "root"
    assert from_files(Host(board)).gateways == told.gateways
    # two interfaces in one network: the table of routes cannot say whose address it is
    assert told.addresses["eth0"][0] in from_files(Host(board)).addresses["eth0"]


def test_a_root_without_tables_has_no_network(tmp_path: Path) -> None:
    assert read_network(Host(tmp_path)) == ((), None)
