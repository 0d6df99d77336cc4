"""`kubepi detect`: what this machine is, what it can do and how it is."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from kubepi.decide.facts import Clock, Facts, Health, Storage
from kubepi.machine.facts import look
from kubepi.machine.health import look_closer
from kubepi.machine.host import Host

WIDTH = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the same for programs")


def run(args: argparse.Namespace, host: Host) -> int:
    facts, health = look(host), look_closer(host)
    if args.json:
        print(json.dumps({**asdict(facts), "health": asdict(health)}, indent=2))
        return 0
    for name, value in rows(facts, health):
        print(f"{name:{WIDTH}}{value}")
    return 0


def rows(facts: Facts, health: Health) -> Iterator[tuple[str, str]]:
    """The table; an empty name goes on with the row before."""
    board = facts.board
    yield "board", board.name + ("" if board.serial is None else f", serial {board.serial}")
    yield (
        "processor",
        f"{board.soc or 'unknown'}, {_many(facts.cpus, 'core')}"
        + ("" if board.capable else "; 32-bit only, no Kubernetes"),
    )
    yield (
        "memory",
        f"{facts.memory_mb} MB" + ("" if board.ram_mb is None else f" of {board.ram_mb} MB"),
    )
    yield "system", facts.os_name or facts.os_id
    yield "", f"{facts.userland_bits}-bit ({facts.architecture})"
    yield "kernel", f"{facts.kernel}, {facts.kernel_bits}-bit, {_pages(facts)}"
    yield "boot", facts.boot_folder or "no Raspberry Pi boot folder"
    yield "cgroups", f"v{facts.cgroup_version}, memory controller {_memory_controller(facts)}"
    yield "disk", _storage(facts.storage)
    yield "swap", ", ".join(facts.swap) or "none"
    network = facts.network
    if network is None:
        yield "network", "no interface has an address"
    else:
        yield "network", f"{network.interface} {network.address}: {network.reason}"
    for link in facts.interfaces:
        addresses = " ".join(link.addresses) or "no address"
        yield "", f"{link.name} ({link.kind}) {addresses} {link.mac or ''}".rstrip()
    yield "clock", _clock(health.clock)
    if facts.board.is_raspberry_pi or health.power is not None:
        yield "power", _power(health)
    if health.temperature is not None:
        yield "temperature", f"{health.temperature:.0f} °C"
    yield "kubernetes", ", ".join(facts.kubernetes) or "none"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _pages(facts: Facts) -> str:
    if facts.page_size is None:
        return "page size unknown"
    text = f"{facts.page_size // 1024} KiB pages"
    # raspberrypi/bookworm-feedback #107; the 4 KiB kernel is the cure
    hint = " (some images need kernel=kernel8.img in config.txt)"
    return text if facts.page_size == 4096 else text + hint


def _memory_controller(facts: Facts) -> str:
    if facts.memory_controller:
        return "on"
    return "off" if facts.boot_folder is None else "off (init and join turn it on)"


def _storage(storage: Storage) -> str:
    words = (storage.kind, storage.device, storage.model)
    return ", ".join(word for word in words if word is not None)


def _clock(clock: Clock) -> str:
    states = {True: "synchronised", False: "not synchronised yet", None: "synchronised or not: ?"}
    source = "no time service" if clock.service == "none" else clock.service
    known = "" if clock.service == "none" else f", {states[clock.is_synchronised]}"
    return f"{source}{known}, {'battery clock there' if clock.has_rtc else 'no battery clock'}"


def _power(health: Health) -> str:
    if health.power is None:
        return f"unknown: {health.power_source}"
    return ", ".join(health.power) or "fine"
