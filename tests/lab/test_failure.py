"""A worker's cable is pulled: how soon that is known, how soon its pods run elsewhere, and back.

And a plain poweroff is orderly, a master takes its cluster back up, and pods while it is alone.
"""

import time
from datetime import datetime

import pytest
from labnodes import load
from labpower import is_on
from netfaults import unplugged
from pagelab import Requests, apply_page, not_well, places, processes
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("failure")]
TAINTS = ("kubectl", "get", "node", "-o", "jsonpath={.spec.taints[*].key}")
# containerd writes the time before each line
ETCD_CLOSED = "grep -h 'closed etcd server' /var/log/pods/kube-system_etcd-*/etcd/*.log | tail -n 1"
MASTER_TAINT = "node-role.kubernetes.io/control-plane"


def since(start: float) -> str:
    return f"{time.monotonic() - start:.1f} s"


def test_a_master_with_workers_keeps_ordinary_pods_off(pis: Pis) -> None:
    """It had none when it was made: the agent has seen the workers come."""
    wait_for("the taint", lambda: MASTER_TAINT in pis.ask("pi1", *TAINTS, "pi1") or None, 60)
    assert pis.ask("pi1", *TAINTS, "pi2") == ""
    apply_page(pis, {"pi2", "pi3"})


def power_off(pis: Pis, node: str) -> None:
    """As somebody does who knows nothing of Kubernetes."""
    start = time.monotonic()
    pis.run(node, "systemctl", "poweroff")
    wait_for(f"{node} off", lambda: True if not is_on(load(pis.folders[node])) else None)
    print(f"\n{node}: powered off in {since(start)}")


def well_again(pis: Pis, nodes: list[str], on: set[str], master: str = "pi1") -> None:
    """All Ready, the page answers, nothing left over."""
    start = time.monotonic()
    wait_for(f"{nodes} Ready", lambda: pis.nodes_ready(master) == set(nodes) or None, 240)
    print(f"all Ready after {since(start)}")
    wait_for("the page", lambda: set(places(pis, master)) == on or None)
    wait_for("nothing left over", lambda: True if not_well(pis, master) == [] else None, 300)
    print(f"nothing left over after {since(start)}")


def test_a_plain_poweroff_of_a_worker_ends_its_pods_in_order(pis: Pis) -> None:
    apply_page(pis, {"pi2", "pi3"})
    pis.run("pi2", "rm", "-f", "/srv/page/ended")
    power_off(pis, "pi2")
    pis.lab("boot", "pi2")
    assert pis.run("pi2", "test", "-s", "/srv/page/ended").returncode == 0
    well_again(pis, ["pi1", "pi2", "pi3"], set(places(pis)))


def test_a_worker_is_cut_off_and_comes_back(pis: Pis) -> None:
    apply_page(pis, {"pi2", "pi3"})
    with Requests(pis.addresses["pi1"]) as requests, unplugged(load(pis.folders["pi2"]).machine):
        start = time.monotonic()
        wait_for("pi2 NotReady", lambda: True if "pi2" not in pis.nodes_ready() else None)
        print(f"\nNotReady after {since(start)}")
        wait_for("its pods elsewhere", lambda: True if places(pis) == ["pi3"] * 2 else None)
        print(f"its pods run elsewhere after {since(start)}")
        print(requests)
        assert processes(pis, "pi2") == 1, "the pod there cannot know of it"
    start = time.monotonic()
    pis.wait_ready(["pi1", "pi2", "pi3"])
    print(f"plugged in again: Ready after {since(start)}")
    wait_for("nothing left over", lambda: True if not_well(pis) == [] else None)
    wait_for("no pod of before on pi2", lambda: True if processes(pis, "pi2") == 0 else None)
    print(f"nothing left over after {since(start)}")
    for node in ("pi1", "pi2", "pi3"):
        pis.web_answers(node, ["pi1", "pi2", "pi3"])
        for verb in ("status", "doctor"):
            done = pis.run(node, "kubepi", verb)
            assert done.returncode == 0, f"{node}: {done.stdout}"
    assert pis.ask("pi1", *TAINTS, "pi2") == ""


def test_a_master_alone_runs_pods_until_the_first_worker_joins(pis: Pis) -> None:
    """A cluster of its own, beside the one of pi1."""
    init = pis.kubepi("pi4", "init", "--cluster", "of-pi4", "--kit", KIT)
    assert init.returncode == 0, init.stderr
    assert MASTER_TAINT not in pis.ask("pi4", *TAINTS, "pi4")
    apply_page(pis, {"pi4"}, "pi4")
    pis.run("pi4", "rm", "-f", "/srv/page/ended")
    power_off(pis, "pi4")
    pis.lab("boot", "pi4")
    ended = pis.ask("pi4", "cat", "/srv/page/ended")
    closed = pis.ask("pi4", "sh", "-c", ETCD_CLOSED)
    assert float(ended) <= datetime.fromisoformat(closed.split()[0]).timestamp(), closed
    well_again(pis, ["pi4"], {"pi4"}, "pi4")
    pis.write("pi5", "/root/token", pis.token("pi4"))
    join = pis.kubepi("pi5", "join", "--token-file", "/root/token", "--kit", KIT)
    assert join.returncode == 0, join.stderr
    start = time.monotonic()
    wait_for("the taint", lambda: MASTER_TAINT in pis.ask("pi4", *TAINTS, "pi4") or None, 60)
    print(f"\nthe master keeps pods off {since(start)} after a worker has joined")
    assert pis.run("pi5", "kubepi", "reset", "--yes").returncode == 0
    start = time.monotonic()
    wait_for("no taint", lambda: pis.ask("pi4", *TAINTS, "pi4") == "" or None, 60)
    print(f"and takes them {since(start)} after the last one has left")
    done = pis.run("pi4", "kubepi", "init")
    assert "nothing was changed" in done.stdout, done.stderr
    assert pis.run("pi4", "kubepi", "reset", "--yes").returncode == 0
