"""The plug is pulled at random moments of init and join; the node finishes by itself.

Two of each in the short run, ten in `tests/run --long power`. The seed is printed; KUBEPI_SEED
repeats it. A container's cut loses no unsynced data: that is shown in test_vm.py.
"""

import os
import random
import threading
import time

import pytest
from pis import FILE, KIT, Pis, wait_for

pytestmark = pytest.mark.lab
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
# From this line on a power cut is harmless: the unit that goes on is on the disk.
SAFE = "service kubepi-agent.service"
INIT_SECONDS, JOIN_SECONDS = 38.0, 16.0


class Moments:
    """Random moments, and a sentence for each that says what was seen."""

    def __init__(self, name: str) -> None:
        print(f"\nKUBEPI_SEED={SEED}")
        self._random = random.Random(f"{SEED} {name}")
        self.lines: list[str] = []

    def cut(self, pis: Pis, node: str, longest: float, *words: str) -> None:
        """Start a command, pull the plug at some moment of it, put the plug back in."""
        moment = self._random.uniform(0, longest)
        process = pis.start(node, "python3", "-I", FILE, *words)
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line.strip()
            if SAFE in line:
                break
        assert SAFE in last, f"{node}: {last}"
        lines = [last]
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        time.sleep(moment)
        pis.lab("cut", node)
        process.wait(30)
        reader.join(30)
        process.stdout.close()
        pis.lab("boot", node)
        self.lines.append(f"{node}: {words[0]} cut {moment:.1f} s on, after: {lines[-1].strip()}")


def finished(pis: Pis, node: str) -> bool | None:
    """The goal is reached, and nobody had to do anything for it."""
    there = "test -e /var/lib/kubepi/goal.json && ! test -e /var/lib/kubepi/pending"
    return True if pis.run(node, "sh", "-c", there).returncode == 0 else None


def wait_finished(pis: Pis, node: str, moments: Moments) -> None:
    start = time.monotonic()
    try:
        wait_for(f"{node} to finish by itself", lambda: finished(pis, node), 420)
    except TimeoutError as error:
        log = pis.run(node, "tail", "-n", "40", "/var/log/kubepi.log").stdout
        raise AssertionError(f"{error}\n{moments.lines}\n{log}") from error
    moments.lines.append(f"{node}: finished {time.monotonic() - start:.0f} s after the boot")


def cut_init(pis: Pis, node: str, moments: Moments) -> None:
    """A cluster of its own, beside the one of pi1: two on one LAN are kept apart."""
    moments.cut(pis, node, INIT_SECONDS, "init", "--cluster", f"of-{node}", "--kit", KIT)
    wait_finished(pis, node, moments)
    wait_for(f"{node} Ready", lambda: True if pis.nodes_ready(node) == {node} else None)
    assert pis.run(node, "kubepi", "reset", "--yes").returncode == 0


def cut_join(pis: Pis, node: str, moments: Moments) -> None:
    pis.write(node, "/root/token", pis.token())
    moments.cut(pis, node, JOIN_SECONDS, "join", "--token-file", "/root/token", "--kit", KIT)
    wait_finished(pis, node, moments)
    wait_for(f"{node} Ready", lambda: True if node in pis.nodes_ready() else None)
    assert pis.run(node, "kubepi", "reset", "--yes").returncode == 0


@pytest.mark.parametrize("node", ["pi5", "pi6"])
def test_a_power_cut_during_init(pis: Pis, node: str) -> None:
    moments = Moments(f"init {node}")
    cut_init(pis, node, moments)
    print("\n".join(moments.lines))


@pytest.mark.parametrize("node", ["pi5", "pi6"])
def test_a_power_cut_during_join(pis: Pis, node: str) -> None:
    moments = Moments(f"join {node}")
    cut_join(pis, node, moments)
    print("\n".join(moments.lines))


@pytest.mark.long("power")
@pytest.mark.parametrize("round_", range(5))
@pytest.mark.parametrize("node", ["pi5", "pi6"])
def test_ten_power_cuts_during_init(pis: Pis, node: str, round_: int) -> None:
    moments = Moments(f"init {node} {round_}")
    cut_init(pis, node, moments)
    print("\n".join(moments.lines))


@pytest.mark.long("power")
@pytest.mark.parametrize("round_", range(5))
@pytest.mark.parametrize("node", ["pi5", "pi6"])
def test_ten_power_cuts_during_join(pis: Pis, node: str, round_: int) -> None:
    moments = Moments(f"join {node} {round_}")
    cut_join(pis, node, moments)
    print("\n".join(moments.lines))
