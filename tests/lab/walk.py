"""A node's way through the troubles of troubles.py: the lock first, the arrival last."""

import re

from aptlock import held
from labnodes import load_named
from netfaults import only_by_proxy, slow
from netproxy import PORT, proxy
from troubles import TROUBLES, Scene

RATE = "40mbit"
WIDE = "stty columns 160; exec"
LOCK_LINE = r"apt's lock: held by unattended-upgrade \(process \d+\)"
PROGRESS = r"\d+ of \d+ MB, [\d.]+ MB/s, \d+ s left"


def wait_for_the_lock(scene: Scene, seconds: float) -> list[str]:
    """The first run of all: the holder is named, then it meets the first trouble as ever."""
    first = TROUBLES[0]
    with first.made(scene), held(scene.pis, scene.node, seconds):
        done = scene.again()
    named = re.search(LOCK_LINE, done.stderr)
    return [*first.missed(done), *([] if named else [f"no line names the holder\n{done.stderr}"])]


def arrive(scene: Scene) -> list[str]:
    """All is well, but the line is slow and only a proxy gets out; the same command finishes."""
    node = load_named(scene.internet.clone, scene.node)
    with (
        proxy(node.gateway, scene.internet.folder / "proxy") as log,
        only_by_proxy(scene.internet.clone, node.address, PORT),
        slow(node.machine, RATE),
    ):
        address = f"http_proxy=http://{node.gateway}:{PORT}"
        wide = ("sh", "-c", f'{WIDE} "$@"', "sh", "env", address, *scene.command)
        done = scene.pis.lab("exec", scene.node, "--tty", "--", *wide, check=False)
        asked = log.read_text()
    scene.pis.wait_ready([*scene.pis.nodes_ready(), scene.node])
    second = scene.again()
    shown = {
        "it finishes": done.returncode == 0,
        "bytes, rate and time left are shown": re.search(PROGRESS, done.stdout),
        "packages came by the proxy": f":{scene.internet.packages.address[1]}" in asked,
        "images came by the proxy": f":{scene.internet.images.address[1]}" in asked,
        "a second run changes nothing": "nothing was changed" in second.stdout,
    }
    said = f"{done.stdout[-4000:]}\n{done.stderr}\n{second.stderr}"
    return [f"not so: {what}\n{said}" for what, is_so in shown.items() if not is_so]
