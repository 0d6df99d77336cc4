"""Settings that are each right, and wrong together; pure. Tests: tests/unit/test_config.py."""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from kubepi.decide.share import NONE, is_address

SUBNETS = ("kubernetes.pod_subnet", "kubernetes.service_subnet")


def contradictions(
    settings: Mapping[str, Any], chosen: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The setting to change, and a sentence about it.

    Only what somebody chose (dotted names) is looked at, since the defaults are right.
    """
    if not {*SUBNETS, "node.address"}.isdisjoint(chosen):
        yield from _overlaps(settings, chosen)
    if settings["wifi.ssid"] and not settings["wifi.country"]:
        yield "wifi.ssid", "needs wifi.country; the radio stays off without one"
    yield from _share(settings)
    if settings["first_boot.user"] and not settings["first_boot.ssh_keys"]:
        yield "first_boot.user", "needs first_boot.ssh_keys; nobody could log in"
    if settings["first_boot.ssh_keys"] and not settings["first_boot.user"]:
        yield "first_boot.ssh_keys", "needs first_boot.user; say whose keys they are"


def _share(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    server, path, mount = (settings[f"storage.nfs.{key}"] for key in ("server", "path", "mount"))
    if server == NONE:
        return
    if f"{path}/".startswith(f"{mount}/") or f"{mount}/".startswith(f"{path}/"):
        yield "storage.nfs.mount", f"{mount} and storage.nfs.path {path} are within each other"
    if settings["storage.nfs.device"] and is_address(server):
        yield "storage.nfs.device", f"the server {server} is no Pi of this cluster; leave it out"


def _overlaps(settings: Mapping[str, Any], chosen: Collection[str]) -> Iterator[tuple[str, str]]:
    pods, services = (IPv4Network(settings[name]) for name in SUBNETS)
    if pods.overlaps(services):
        name, other = SUBNETS if SUBNETS[0] in chosen else SUBNETS[::-1]
        yield (
            name,
            f"{settings[name]} overlaps {other} {settings[other]}; choose one that does not",
        )
    address = settings["node.address"]
    for name in SUBNETS:
        if address and IPv4Network(address).subnet_of(IPv4Network(settings[name])):
            yield (
                "node.address",
                f"{address} is in {name} {settings[name]}; choose a subnet that the LAN does "
                "not use",
            )
