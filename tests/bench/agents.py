#!/usr/bin/env python3
"""Many agents on one bridge: how soon they elect a master, what it costs the network and memory.

    sudo python3 tests/bench/agents.py [--agents 100]

Each agent is a process in a network namespace of its own, with a root folder of its own.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kubepi.agent.voice import node_id
from kubepi.decide.credentials import new_token
from kubepi.decide.goal import Goal, Secret
from kubepi.decide.preflight import CHECKS
from kubepi.machine import state
from kubepi.machine.configfiles import load
from kubepi.machine.host import Host

BUILD = Path(__file__).resolve().parents[2] / "build_zipapp.py"
BRIDGE = "kpl-bench"
GATEWAY = "10.98.255.254"
PATIENCE = 300.0
QUIET_SECONDS = 60.0  # for what settled agents send


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def address(number: int) -> str:
    return f"10.98.{number // 250}.{number % 250 + 1}"


@contextmanager
def bridge() -> Iterator[Path]:
    """Its counters."""
    ip("link", "add", BRIDGE, "type", "bridge")
    try:
        ip("addr", "add", f"{GATEWAY}/16", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        yield Path(f"/sys/class/net/{BRIDGE}/statistics")
    finally:
        ip("link", "del", BRIDGE)


@contextmanager
def namespace(number: int) -> Iterator[str]:
    name, cable = f"kubepi-bench-{number}", f"kpb{number}"
    ip("netns", "add", name)
    try:
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", cable, "master", BRIDGE, "up")
        for words in (
            ("link", "set", "lo", "up"), ("addr", "add", f"{address(number)}/16", "dev", "eth0"),
            ("link", "set", "eth0", "up"), ("route", "add", "default", "via", GATEWAY),
        ):  # fmt: skip
            ip("-n", name, *words)
        yield name
    finally:
        ip("netns", "del", name)


def prepare(folder: Path, number: int, agents: int, token: str) -> Host:
    """A Pi that was told `up` and has written that down."""
    folder.mkdir()
    host = Host(folder)
    host.write("/etc/hostname", f"pi-{number}\n")
    state.save_secret(host, Secret("token"), token)
    changes = {
        "cluster.expect": agents, "preflight.ignore": sorted(CHECKS),
        "node.address": address(number),
    }  # fmt: skip
    state.save_goal(host, Goal("up", {**load(host, {}).settings, **changes}))
    node_id(host)
    return host


@contextmanager
def agent(name: str, folder: Path, pyz: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-I", str(pyz), f"--root={folder}", "agent"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def verdicts(hosts: list[Host]) -> list[str]:
    found = (state.read_json(host, state.ELECTION) for host in hosts)
    return ["" if decision is None else decision["verdict"] for decision in found]


def packets(counters: Path) -> int:
    return sum(int((counters / f"{way}_packets").read_text()) for way in ("rx", "tx"))


def megabytes(process: subprocess.Popen[bytes]) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100)
    count = parser.parse_args().agents
    if os.geteuid() != 0:
        print("agents: network namespaces need root", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))  # and tidy up
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        pyz = Path(scratch, "kubepi.pyz")
        subprocess.run([sys.executable, str(BUILD), "-o", str(pyz)], check=True)
        counters = stack.enter_context(bridge())
        token = new_token(os.urandom(17))
        names = [stack.enter_context(namespace(number)) for number in range(count)]
        hosts = [prepare(Path(scratch, name), n, count, token) for n, name in enumerate(names)]
        before, start = packets(counters), time.monotonic()
        running = [
            stack.enter_context(agent(name, host.root, pyz))
            for name, host in zip(names, hosts, strict=True)
        ]
        started = time.monotonic()
        while not set(verdicts(hosts)) <= {"lead", "join"}:
            if time.monotonic() - started > PATIENCE:
                told = json.dumps(state.read_json(hosts[0], state.ELECTION))
                print(f"not decided after {PATIENCE:.0f} s: {verdicts(hosts)}\n{told}")
                return 1
            time.sleep(0.2)
        end = time.monotonic()
        electing = (packets(counters) - before) / (end - start)
        masters = verdicts(hosts).count("lead")
        before, start = packets(counters), time.monotonic()
        time.sleep(QUIET_SECONDS)  # what is measured is a minute without news
        settled = (packets(counters) - before) / (time.monotonic() - start)
        memory = [megabytes(process) for process in running]
    print(
        f"{count} agents: {masters} master, all decided {end - started:.1f} s after the last "
        f"start\n{electing:.0f} packets a second while electing, {settled:.0f} afterwards\n"
        f"{median(memory):.1f} MB each (median), {max(memory):.1f} MB the largest"
    )
    return 0 if masters == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
