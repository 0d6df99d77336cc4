"""A worker's cable is pulled: how soon that is known, how soon its pods run elsewhere, and back.

And who runs pods beside them: a master does as long as it is alone.
"""

import time

import pytest
from labnodes import load
from netfaults import unplugged
from pagelab import Requests, apply_page, not_well, places, processes
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("failure")]
TAINTS = ("kubectl", "get", "node", "-o", "jsonpath={.spec.taints[*].key}")
MASTER_TAINT = "node-role.kubernetes.io/control-plane"


def since(start: float) -> str:
    return f"{time.monotonic() - start:.1f} s"


def test_a_master_with_workers_keeps_ordinary_pods_off(pis: Pis) -> None:
    """It had none when it was made: the agent has seen the workers come."""
    wait_for("the taint", lambda: MASTER_TAINT in pis.ask("pi1", *TAINTS, "pi1") or None, 60)
    assert pis.ask("pi1", *TAINTS, "pi2") == ""
    apply_page(pis)
    assert set(places(pis)) == {"pi2", "pi3"}


def test_a_worker_is_cut_off_and_comes_back(pis: Pis) -> None:
    apply_page(pis)
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
