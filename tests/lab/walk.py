"""A node's way through troubles.py: the lock first, the arrival last; and one by a proxy."""

import re
import threading

from aptlock import held
from labnodes import load_named
from netfaults import only_by_proxy, slow
from netproxy import PORT, proxy
from pis import Done
from troubles import TROUBLES, Scene, complaints

RATE = "10mbit"
SMALL = 100_000  # bytes, of manifests for example
WIDE = "stty columns 160; exec"
LOCK_LINE = r"apt's lock: held by unattended-upgrade \(process \d+\)"
PROGRESS = r"[\d.]+ of [\d.]+ MB, [\d.]+ MB/s, \d+ s left"


def wait_for_the_lock(scene: Scene, seconds: float) -> list[str]:
    """The first run of all: the holder is named, and goes after so long.

    Then the run meets the first trouble as ever.
    """
    first, said, told = TROUBLES[0], "", False
    with first.made(scene), held(scene.pis, scene.node) as holder:
        with scene.pis.start(scene.node, *scene.command) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if not told and re.search(LOCK_LINE, line):
                    told = True
                    threading.Timer(seconds, holder.terminate).start()
        code = process.returncode
    wanted = {"a line names the holder": told}
    return [*first.missed(Done(process.args, code, "", said)), *complaints(wanted, said)]


def arrive(scene: Scene) -> list[str]:
    """All is well, but the line is slow; the same command goes on and finishes.

    The trouble before it broke off at flannel's layers: the others are here.
    """
    node = load_named(scene.internet.clone, scene.node)
    before = scene.internet.images.served["registry.k8s.io"]
    with slow(node.machine, RATE):
        wide = ("sh", "-c", f'{WIDE} "$@"', "sh", *scene.command)
        done = scene.pis.lab("exec", scene.node, "--tty", "--", *wide, check=False)
    again = scene.internet.images.served["registry.k8s.io"] - before
    wanted = {
        "bytes, rate and time left are shown": re.search(PROGRESS, done.stdout),
        f"what is here is not pulled again ({again} bytes)": again < SMALL,
    }
    return [*complaints(wanted, done.stdout), *finished(scene, done)]


def by_proxy(scene: Scene) -> list[str]:
    """A fresh node from which only a proxy gets out: the environment names it once, for all."""
    node = load_named(scene.internet.clone, scene.node)
    with (
        proxy(node.gateway, scene.internet.folder / "proxy") as log,
        only_by_proxy(scene.internet.clone, node.address, PORT),
    ):
        blocked = scene.again()
        done = scene.again(f"http_proxy=http://{node.gateway}:{PORT}")
        asked = log.read_text()
    wanted = {
        "without it nobody answers": "nobody answers" in blocked.stderr,
        "packages came by it": f":{scene.internet.packages.address[1]}" in asked,
        "images came by it": f":{scene.internet.images.address[1]}" in asked,
    }
    said = f"{blocked.stderr}\n{done.stderr}\n{asked}"
    return [*complaints(wanted, said), *finished(scene, done)]


def finished(scene: Scene, done: Done) -> list[str]:
    if done.returncode:
        return complaints({"it finishes": False}, f"{done.stdout}\n{done.stderr}")
    scene.pis.wait_ready([*scene.pis.nodes_ready(), scene.node])
    second = scene.again()
    unchanged = "nothing was changed" in second.stdout
    return complaints({"a second run changes nothing": unchanged}, second.stderr)
