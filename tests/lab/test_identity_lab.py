"""Cards that were copied, and boards that come back with a fresh one: who they are in the cluster.

`tests/run --long identity`: a master, a worker, and a third Pi that plays both parts.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from freshcards import DISKS, flash, keep_fresh
from labnodes import NETWORK_PATH, SERIAL
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("identity")]
GONE_AFTER = 180  # seconds until a Node that is off counts as NotReady, with some to spare


@pytest.fixture(scope="module")
def pis(pyz: Path) -> Iterator[Pis]:
    """pi1 is the master, pi2 a worker, pi3 was never told anything."""
    pis = Pis()
    try:
        pis.up(3)
        pis.push(pyz)
        keep_fresh(pis, "pi2")
        assert pis.kubepi("pi1", "init", "--kit", KIT).returncode == 0
        join(pis, "pi2")
        yield pis
    finally:
        pis.down()


def join(pis: Pis, node: str) -> None:
    pis.write(node, "/root/token", pis.token())
    done = pis.kubepi(node, "join", "--kit", KIT, "--token-file", "/root/token")
    assert done.returncode == 0, done.stderr


def test_a_copied_card_becomes_a_node_of_its_own(pis: Pis) -> None:
    pis.lab("cut", "pi2")
    pis.lab("cut", "pi3")
    worker, copy = pis.folders["pi2"], pis.folders["pi3"]
    cable = (copy / "up" / NETWORK_PATH).read_text()
    for disk in DISKS:
        shutil.rmtree(copy / disk)
        # sockets of programs, too: shutil does not copy those
        subprocess.run(["cp", "-a", str(worker / disk), str(copy / disk)], check=True)
    (copy / "up" / NETWORK_PATH).write_text(cable)
    for node in ("pi2", "pi3"):
        pis.lab("boot", node)

    def whole() -> str | None:
        ready = pis.nodes_ready()
        others = ready - {"pi1", "pi2"}
        return others.pop() if {"pi1", "pi2"} < ready and len(others) == 1 else None

    own = wait_for("the copy as a third node", whole, 600)
    assert own.startswith("pi-")
    assert pis.ask("pi3", "hostname").strip() == own
    assert pis.ask("pi2", "hostname").strip() == "pi2"
    for file in ("/etc/machine-id", "/var/lib/kubepi/node-id"):
        assert pis.ask("pi2", "cat", file) != pis.ask("pi3", "cat", file)
    assert pis.run("pi3", "kubepi", "status").returncode == 0


def test_a_masters_card_in_another_board_goes_on_with_the_cluster(pis: Pis) -> None:
    """The board has died: its card, with all of the cluster, is put into a spare one."""
    before = pis.ask("pi1", "cat", "/var/lib/kubepi/node-id")
    pis.lab("cut", "pi1")
    serial = pis.folders["pi1"] / "firmware" / SERIAL
    serial.write_bytes(b"10000000feedbeef\0")
    pis.lab("boot", "pi1")
    identity = "/var/lib/kubepi/identity"
    wait_for("the new board's name on the card",
             lambda: "feedbeef" in pis.run("pi1", "cat", identity).stdout or None, 120)  # fmt: skip
    wait_for("both Ready", lambda: {"pi1", "pi2"} <= pis.nodes_ready() or None, 300)
    assert pis.ask("pi1", "cat", "/var/lib/kubepi/node-id") == before
    assert pis.run("pi1", "kubepi", "status").returncode == 0


def test_a_known_board_with_a_fresh_card_takes_name_and_labels_back(pis: Pis) -> None:
    pis.ask("pi1", "kubectl", "label", "node", "pi2", "disk=ssd")
    node_uid = ("kubectl", "get", "node", "pi2", "-o", "jsonpath={.metadata.uid}")
    before = pis.ask("pi1", *node_uid)
    pis.lab("cut", "pi2")
    flash(pis, "pi2")
    wait_for("pi2 NotReady", lambda: True if "pi2" not in pis.nodes_ready() else None, GONE_AFTER)
    pis.lab("boot", "pi2")
    join(pis, "pi2")
    wait_for("pi2 Ready", lambda: True if "pi2" in pis.nodes_ready() else None, 180)
    assert pis.ask("pi1", *node_uid) != before, "it is another Node"

    def labelled() -> bool | None:
        words = ("get", "node", "pi2", "-o", "jsonpath={.metadata.labels.disk}")
        return True if pis.ask("pi1", "kubectl", *words) == "ssd" else None

    wait_for("its label", labelled, 60)
