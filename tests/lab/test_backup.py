"""Backup and restore on virtual Pis with real Kubernetes: a copy elsewhere, a corrupted etcd, a new
board in the place of the master, and the old one when it comes back.

In `tests/run --long backup`; times are printed, order and outcome are asserted.
"""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from pis import FILE, KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("backup")]
BACKUPS = "/var/lib/kubepi-backups"
DATABASE = "/var/lib/etcd/member/snap/db"
NODES = ("pi1", "pi2", "pi3")
WORKERS = ("pi2", "pi3")
NEW = "pi4"  # the fresh board that takes the lost master's place
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
RESTORE_SECONDS, BACKUP_SECONDS = 20.0, 4.0  # how long they take, about
T = TypeVar("T")


def timed(what: str, do: Callable[[], T]) -> T:
    start = time.monotonic()
    result = do()
    print(f"{what}: {time.monotonic() - start:.1f} s")
    return result


def succeed(pis: Pis, node: str, *words: str) -> str:
    done = pis.run(node, "python3", "-I", FILE, *words)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}\n{log(pis, node)}"
    return done.stdout


def log(pis: Pis, node: str) -> str:
    return pis.run(node, "tail", "-n", "60", "/var/log/kubepi.log").stdout


def note(pis: Pis, name: str, master: str = "pi1") -> None:
    pis.ask(master, "kubectl", "create", "configmap", name, "--from-literal=is=here")


def notes(pis: Pis, master: str = "pi1") -> set[str]:
    found = pis.ask(master, "kubectl", "get", "configmaps", "-o", "name").split()
    return {name.partition("/")[2] for name in found} - {"kube-root-ca.crt"}


def backup(pis: Pis, master: str = "pi1") -> str:
    out = timed("backup", lambda: succeed(pis, master, "backup"))
    return out.splitlines()[0]


def listed(pis: Pis, node: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        pis.ask(node, "kubepi", "backup", "list", "--json")
    )
    return found


def alive_since(pis: Pis, master: str, start: str) -> set[str]:
    """Nodes whose kubelet spoke after `start`: what etcd says of them may be from the backup."""
    done = pis.run(master, "kubectl", "get", "leases", "-n", "kube-node-lease", "-o", "json")
    if done.returncode:
        return set()
    leases = json.loads(done.stdout)["items"]
    return {i["metadata"]["name"] for i in leases if i["spec"]["renewTime"] > start}


def pods_run(pis: Pis, master: str) -> bool | None:
    """Every pod of the cluster, also those that have the host's network."""
    done = pis.run(master, "kubectl", "get", "pods", "-A", "-o", "json")
    if done.returncode:
        return None
    pods = json.loads(done.stdout)["items"]
    ready = [
        condition["status"] == "True"
        for pod in pods
        if pod["status"].get("phase") != "Succeeded"
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "Ready"
    ]
    return True if ready and all(ready) else None


def test_a_backup_is_made_verified_and_copied_to_other_nodes(pis: Pis) -> None:
    pis.apply_web()
    note(pis, "before-the-backup")
    file = backup(pis)
    own = listed(pis, "pi1")
    assert [kept["file"] for kept in own] == [file]
    assert own[0]["whole"] and own[0]["node"] == "pi1"
    assert int(str(own[0]["revision"])) > 0, "etcdutl did not look at it"
    for node in WORKERS:
        there = listed(pis, node)
        assert [Path(str(kept["file"])).name for kept in there] == [Path(file).name]
    digests = {
        pis.ask(node, "sh", "-c", f"find {BACKUPS} -name {Path(file).name} | xargs cat | sha256sum")
        for node in NODES
    }
    assert len(digests) == 1
    for node in NODES:
        modes = pis.ask(node, "find", BACKUPS, "-printf", "%m\n")
        assert set(modes.split()) <= {"600", "700"}


def test_the_timer_is_there_and_a_second_init_changes_nothing(pis: Pis) -> None:
    assert "kubepi-backup.timer" in pis.ask("pi1", "systemctl", "list-timers", "--no-pager")
    done = pis.run("pi1", "kubepi", "init")
    assert "nothing was changed" in done.stdout, done.stderr
    pis.ask("pi1", "systemctl", "start", "kubepi-backup.service")
    assert len(listed(pis, "pi1")) == 2


def test_a_worker_makes_none_and_says_who_does(pis: Pis) -> None:
    done = pis.run("pi2", "kubepi", "backup")
    assert done.returncode == 6
    assert "pi1" in done.stderr


def test_no_secret_gets_into_arguments_logs_or_open_files(pis: Pis, kept_canaries: str) -> None:
    token = pis.token()
    for word in (token, token.replace("-", ""), *kept_canaries.split()):
        for node in NODES:
            found = pis.run(
                node, "grep", "-rlF", "-e", word, "/var/log", "/run", "/tmp", "/etc/systemd"
            ).stdout.split()
            assert found == [], f"{node}: {found}"


@pytest.fixture
def kept_canaries(pis: Pis) -> str:
    """Lines of the keys that a backup holds."""
    key = pis.ask("pi1", "cat", "/etc/kubernetes/pki/ca.key")
    return " ".join(line for line in key.splitlines() if len(line) > 40)


def test_a_full_disk_ends_in_a_sentence_and_nothing_half_written(pis: Pis) -> None:
    before = pis.ask("pi1", "ls", "-A", BACKUPS)
    pis.ask("pi1", "mkdir", "-p", "/root/small")
    pis.ask("pi1", "mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", "/root/small")
    try:
        done = pis.run("pi1", "kubepi", "backup", "--to", "/root/small")
        assert done.returncode == 1
        assert "No space left" in done.stderr and "make room" in done.stderr, done.stderr
        assert pis.ask("pi1", "ls", "-A", "/root/small") == ""
    finally:
        pis.ask("pi1", "umount", "/root/small")
    assert set(before.split()) <= set(pis.ask("pi1", "ls", "-A", BACKUPS).split())


def test_a_cluster_that_runs_is_not_restored(pis: Pis) -> None:
    newest = str(listed(pis, "pi1")[0]["file"])
    done = pis.run("pi1", "kubepi", "restore", newest)
    assert done.returncode == 4
    assert "the cluster runs" in done.stderr
    done = pis.run("pi2", "kubepi", "restore", str(listed(pis, "pi2")[0]["file"]))
    assert done.returncode == 4
    assert "is a worker" in done.stderr, done.stderr


def test_a_fresh_board_is_refused_while_the_master_is_heard(pis: Pis) -> None:
    pis.write(NEW, "/root/token", pis.token())
    done = pis.run(
        NEW, "python3", "-I", FILE, "restore", "--from", "pi2", "--token-file", "/root/token"
    )
    assert done.returncode == 4, done.stderr
    assert "a master of this cluster is heard: pi1" in done.stderr
    assert pis.run(NEW, "test", "-e", "/var/lib/kubepi/goal.json").returncode == 1


def test_a_corrupted_etcd_is_found_and_restored_on_request(pis: Pis) -> None:
    note(pis, "in-the-backup")
    file = backup(pis)
    note(pis, "after-the-backup")
    pis.lab("cut", "pi1")
    disk = pis.folders["pi1"] / "up" / DATABASE.lstrip("/")
    with disk.open("r+b") as stream:
        stream.truncate(200_000)  # etcd keeps more than it uses: a cut far behind that is none
    pis.lab("boot", "pi1")

    def found() -> str | None:
        done = pis.run("pi1", "kubepi", "doctor")
        return done.stdout if "etcd cannot go on" in done.stdout else None

    said = timed("corruption found by doctor after the boot", lambda: wait_for("doctor", found, 90))
    print(said)
    assert f"sudo kubepi restore {file}" in said
    timed("restore on the same master", lambda: succeed(pis, "pi1", "restore", file, "--yes"))
    start = pis.ask("pi1", "date", "-u", "+%Y-%m-%dT%H:%M:%S").strip()
    timed("all nodes alive after it", lambda: wait_for(
        "all nodes", lambda: True if alive_since(pis, "pi1", start) == set(NODES) else None, 240))
    pis.wait_ready(NODES)
    wait_for("all pods", lambda: pods_run(pis, "pi1"), 240)
    assert {"before-the-backup", "in-the-backup"} <= notes(pis)
    assert "after-the-backup" not in notes(pis)
    assert pis.web_answers("pi1", of=NODES)
    assert pis.run("pi1", "test", "-e", "/var/lib/kubepi/restore").returncode == 1
    assert pis.run("pi1", "kubepi", "doctor").returncode == 0


@pytest.mark.parametrize("round_", range(6))
def test_a_power_cut_during_a_restore_loses_nothing(pis: Pis, round_: int) -> None:
    """The node goes on by itself; one that had not begun is as it was."""
    file = str(listed(pis, "pi1")[0]["file"])
    moment = random.Random(f"{SEED} restore {round_}").uniform(0, RESTORE_SECONDS)
    pulled_at(pis, "pi1", moment, "restore", file, "--force", "--yes")
    wait_for("pi1 to go on", lambda: finished(pis, "pi1"), 300)
    pis.wait_ready(NODES)
    assert "before-the-backup" in notes(pis)
    succeed(pis, "pi1", "restore", file, "--force", "--yes")
    pis.wait_ready(NODES)
    assert "before-the-backup" in notes(pis)
    assert pis.run("pi1", "test", "-e", "/var/lib/kubepi/restore").returncode == 1


@pytest.mark.parametrize("round_", range(4))
def test_a_power_cut_during_a_backup_leaves_whole_ones_only(pis: Pis, round_: int) -> None:
    moment = random.Random(f"{SEED} backup {round_}").uniform(0, BACKUP_SECONDS)
    pulled_at(pis, "pi1", moment, "backup")
    pis.wait_ready(NODES)
    assert all(kept["whole"] for kept in listed(pis, "pi1"))
    backup(pis)
    assert pis.run("pi1", "test", "-e", f"{BACKUPS}/.new").returncode == 1


def pulled_at(pis: Pis, node: str, moment: float, *words: str) -> None:
    print(f"KUBEPI_SEED={SEED}: {words[0]} on {node} cut {moment:.1f} s on")
    process = pis.start(node, "kubepi", *words)
    time.sleep(moment)
    pis.lab("cut", node)
    out, _ = process.communicate(timeout=60)
    print((out.strip().splitlines() or ["nothing was said"])[-1])
    pis.lab("boot", node)


def finished(pis: Pis, node: str) -> bool | None:
    done = "test -e /var/lib/kubepi/goal.json && ! test -e /var/lib/kubepi/pending"
    return True if pis.run(node, "sh", "-c", done).returncode == 0 else None


def test_a_new_board_takes_the_lost_masters_place(pis: Pis) -> None:
    """Workers come by themselves; what was in the cluster is there, and all pods are Ready."""
    note(pis, "before-it-was-lost")
    backup(pis)
    pis.lab("cut", "pi1")
    pis.write(NEW, "/root/token", pis.run("pi2", "kubepi", "token", "show").stdout)
    words = ("restore", "--from", "pi2", "--token-file", "/root/token", "--kit", KIT)
    timed("restore on a fresh board", lambda: succeed(pis, NEW, *words))
    start = pis.ask(NEW, "date", "-u", "+%Y-%m-%dT%H:%M:%S").strip()
    timed("workers came by themselves after it", lambda: wait_for(
        "all nodes", lambda: True if alive_since(pis, NEW, start) == set(NODES) else None, 240))
    assert pis.nodes_ready(NEW) == set(NODES)
    timed("all pods Ready after it", lambda: wait_for("pods", lambda: pods_run(pis, NEW), 300))
    assert {"before-the-backup", "in-the-backup", "before-it-was-lost"} <= notes(pis, NEW)
    timed("the application answers by way of all", lambda: [
        pis.web_answers(node, of=NODES) for node in (NEW, *WORKERS)])
    note(pis, "on-the-new-board", NEW)
    done = pis.run(NEW, "kubepi", "status", "--json")
    assert json.loads(done.stdout)["drift"] == {}, done.stdout


def test_the_old_master_steps_back_when_it_is_switched_on(pis: Pis) -> None:
    pis.lab("boot", "pi1")

    def stopped() -> bool | None:
        there = pis.run("pi1", "test", "-e", "/var/lib/kubepi/replaced").returncode == 0
        runs = pis.run("pi1", "pgrep", "-x", "kube-apiserver").returncode == 0
        return True if there and not runs else None

    timed("the old master stopped", lambda: wait_for("the old master to stop", stopped, 120))
    assert pis.nodes_ready(NEW) == set(NODES)
    for node in WORKERS:
        api = pis.ask(node, "getent", "hosts", "home.kubepi.internal").split()[0]
        assert api == pis.addresses[NEW]
    done = pis.run("pi1", "kubepi", "doctor")
    assert "goes on at" in done.stdout
    assert "on-the-new-board" in notes(pis, NEW)


def test_another_join_finds_one_master(pis: Pis) -> None:
    pis.write("pi5", "/root/token", pis.token(NEW))
    done = pis.kubepi("pi5", "join", "--token-file", "/root/token", "--kit", KIT)
    assert done.returncode == 0, done.stderr
    wait_for("pi5", lambda: True if "pi5" in pis.nodes_ready(NEW) else None, 120)
