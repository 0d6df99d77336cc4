"""The demo on the older Debian, and by the internet on both: other apt, containerd, Python."""

import subprocess
import sys
from pathlib import Path

import pytest
from internet import Internet
from labbase import RELEASES
from labclone import this_clone
from labnodes import find_kit
from pis import Pis
from troubles import TROUBLES, Scene
from walk import arrive, by_proxy, wait_for_the_lock

DEMO = Path(__file__).resolve().parent / "demo"
LOCKED_SECONDS = 120.0
JOIN = ("join", "--token-file", "/root/token")


def demo(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, str(DEMO), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    assert done.stdout.count("hello from pi1, hello from pi2, hello from pi3") == 3
    print(done.stdout[done.stdout.index("seconds  phase") :])
    return done.stdout


@pytest.mark.lab
@pytest.mark.long("bookworm")
def test_the_demo_on_bookworm() -> None:
    assert "Debian GNU/Linux 12 (bookworm)" in demo("--release", "bookworm")


@pytest.mark.lab
@pytest.mark.long("online")
@pytest.mark.parametrize("release", RELEASES)
def test_the_demo_by_the_internet_and_every_trouble_on_it(release: str) -> None:
    kit = find_kit(this_clone(), None)
    assert kit is not None
    pis = Pis()
    try:
        said = demo("--online", "--keep", "--spare", "2", "--release", release)
        for place in ("pkgs.k8s.io", "registry.k8s.io", "ghcr.io", "docker.io"):
            assert place in said
        pis.refresh()
        token = pis.token()
        with Internet(Path(kit)) as internet:
            for node in ("pi4", "pi5"):
                pis.write(node, "/root/token", token)
                internet.give_to(pis, node)
            scene = Scene(pis, internet, "pi4", JOIN)
            assert wait_for_the_lock(scene, LOCKED_SECONDS) == []
            missed = [
                f"{trouble.name}: {complaint}"
                for trouble in TROUBLES[1:]
                for complaint in trouble.meet(scene)
            ]
            missed += arrive(scene)
            missed += by_proxy(Scene(pis, internet, "pi5", JOIN))
            assert missed == []
    finally:
        pis.down()
