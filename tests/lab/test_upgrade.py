"""Three nodes from one minor of Kubernetes to the next, while an application answers.

`tests/run --long upgrade`. The seed of the power cuts is printed; KUBEPI_SEED repeats it.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from life import Load, apply_life, ask_pair, wait_answers
from pis import FILE, KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("upgrade")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
OLD, NEW = "v1.35.4", "v1.36.3"
NODES = ("pi1", "pi2", "pi3")
CUTS = 5
INSTALLED = "/usr/local/lib/kubepi/kubepi.pyz"
# a copy of a kubepi.pyz that was built a day later
NEWER = """
import re, sys, zipfile
from pathlib import Path
start = Path(sys.argv[1]).read_bytes().partition(b"PK\\3\\4")[0]
with open(sys.argv[2], "wb") as stream, zipfile.ZipFile(sys.argv[1]) as old:
    stream.write(start)
    with zipfile.ZipFile(stream, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "kubepi/__init__.py":
                built = re.search(rb"BUILT = ([0-9.]+)", content)[1]
                content = content.replace(built, str(float(built) + 86400).encode())
            new.writestr(entry, content)
"""


@pytest.fixture
def pis(pyz: Path) -> Iterator[Pis]:
    """A cluster of three that begins with the older minor."""
    pis = Pis()
    pis.up(3)
    try:
        pis.push(pyz)
        begin(pis)
        yield pis
    finally:
        pis.down()


def begin(pis: Pis) -> None:
    done = pis.kubepi("pi1", "init", "--kit", KIT, "--kubernetes", "1.35")
    assert done.returncode == 0, done.stderr
    token = pis.token()
    for node in NODES[1:]:
        pis.write(node, "/root/token", token)
        done = pis.kubepi(node, "join", "--kit", KIT, "--token-file", "/root/token")
        assert done.returncode == 0, done.stderr
    pis.wait_ready(NODES)
    assert versions(pis) == dict.fromkeys(NODES, OLD)
    apply_life(pis)
    wait_answers(pis, "pi1")


def versions(pis: Pis) -> dict[str, str]:
    items = json.loads(pis.ask("pi1", "kubectl", "get", "nodes", "-o", "json"))["items"]
    return {
        i["metadata"]["name"]: i["status"]["nodeInfo"]["kubeletVersion"]
        for i in items
        if not i["spec"].get("unschedulable")
    }


def need_upgraded(pis: Pis) -> None:
    """All of it, and nothing of it left; and the first commands have nothing to say."""
    pis.wait_ready(NODES)
    assert versions(pis) == dict.fromkeys(NODES, NEW)
    server = json.loads(pis.ask("pi1", "kubectl", "version", "-o", "json"))["serverVersion"]
    assert server["gitVersion"] == NEW
    proxies = pis.ask("pi1", "kubectl", "-n", "kube-system", "get", "daemonset", "kube-proxy",
                      "-o", "jsonpath={.spec.template.spec.containers[0].image}")  # fmt: skip
    assert proxies == f"registry.k8s.io/kube-proxy:{NEW}"
    for node, verb in (("pi1", "init"), ("pi2", "join"), ("pi3", "join")):
        done = pis.run(node, "kubepi", verb)
        assert done.returncode == 0, done.stderr
        assert "nothing was changed" in done.stdout
        assert NEW in pis.ask(node, "kubepi", "status")
        left = pis.ask(node, "ls", "/var/lib/kubepi").split()
        assert not {"upgrade.json", "before-upgrade", "attempt-upgrade", "pending"} & set(left)
    wait_answers(pis, "pi1")


def test_three_nodes_while_the_application_answers(pis: Pis) -> None:
    dry = pis.run("pi1", "kubepi", "upgrade", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert f"control plane {NEW} (kubeadm upgrade)" in dry.stderr
    for typed, word in (("v1.35.1", "no way back"), ("v1.37.1", "would be skipped")):
        refused = pis.run("pi1", "kubepi", "upgrade", typed)
        assert refused.returncode == 4, refused.stderr
        assert word in refused.stderr
    early = pis.run("pi2", "kubepi", "upgrade", NEW)
    assert early.returncode == 4, early.stderr
    assert versions(pis) == dict.fromkeys(NODES, OLD)
    start = time.monotonic()
    with Load(pis, "pi1") as load:
        done = pis.run("pi2", "kubepi", "upgrade", "--all", timeout=3000)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"\n{OLD} to {NEW}, three nodes: {time.monotonic() - start:.0f} s; {load}")
    print(done.stderr)
    need_upgraded(pis)
    need_backup(pis)
    assert load.answers > 100
    assert len(load.failures) < load.answers / 20, load
    again = pis.run("pi3", "kubepi", "upgrade", "--all")
    assert again.returncode == 0, again.stderr
    assert f"All nodes are {NEW}" in again.stdout
    assert len(backups(pis, "pi1")) == 1, "nothing was to be done"
    another_kubepi(pis)


def need_backup(pis: Pis) -> None:
    """Of the cluster as it was before; the workers have copies."""
    made = backups(pis, "pi1")
    assert [(kept["kubernetes"], kept["whole"]) for kept in made] == [(OLD, True)]
    for node in NODES[1:]:
        copies = [Path(str(kept["file"])).name for kept in backups(pis, node)]
        assert copies == [Path(str(made[0]["file"])).name]


def backups(pis: Pis, node: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        pis.ask(node, "kubepi", "backup", "list", "--json")
    )
    return found


def another_kubepi(pis: Pis) -> None:
    """All nodes take a newer one that is typed on a worker."""
    pis.ask("pi2", "python3", "-c", NEWER, FILE, "/root/newer.pyz")
    start = time.monotonic()
    with Load(pis, "pi1") as load:
        done = pis.run("pi2", "kubepi", "upgrade", "--self", "/root/newer.pyz", timeout=900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"another kubepi on three nodes: {time.monotonic() - start:.0f} s; {load}")
    digests = {pis.ask(node, "sha256sum", INSTALLED).split()[0] for node in NODES}
    assert digests == {pis.ask("pi2", "sha256sum", "/root/newer.pyz").split()[0]}
    assert not load.failures
    for node in NODES:
        assert pis.run(node, "kubepi", "status").returncode == 0
        wait_for("the end of kubepi-self", partial(is_tidy, pis, node))
    older = pis.run("pi1", "kubepi", "upgrade", "--self", FILE)
    assert older.returncode == 4, older.stderr


def is_tidy(pis: Pis, node: str) -> bool | None:
    return True if "kubepi-new.pyz" not in pis.ask(node, "ls", "/var/lib/kubepi") else None


def test_five_power_cuts_and_the_same_command(pis: Pis) -> None:
    print(f"\nKUBEPI_SEED={SEED}")
    chance = random.Random(SEED)
    for number in range(CUTS):
        process = pis.start("pi1", "kubepi", "upgrade", "--all")
        moment = chance.uniform(3, 40)
        time.sleep(moment)
        if process.poll() is not None:
            break
        node = at_it(pis)
        pis.lab("cut", node)
        process.kill()
        said = process.communicate()[0].strip().splitlines()
        pis.lab("boot", node)
        print(f"cut {number + 1} of {node}, {moment:.0f} s on, after: {said[-1:]}")
    start = time.monotonic()
    done = pis.run("pi1", "kubepi", "upgrade", "--all", timeout=3000)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(f"the same command: {time.monotonic() - start:.0f} s")
    need_upgraded(pis)
    assert not ask_pair(pis, "pi1")


def at_it(pis: Pis) -> str:
    """The node that is being upgraded now; between two, the one where it was typed."""
    for node in NODES:
        if pis.run(node, "test", "-e", "/var/lib/kubepi/upgrade.json").returncode == 0:
            return node
    return "pi1"
