"""Certificates are renewed before they end, and a cluster whose certificates have ended heals.

All nodes share this machine's clock, so the certificates get other dates instead: signed by the
cluster's own authority, with the same keys. The seed of the cuts is printed; KUBEPI_SEED repeats
them. Only `tests/run --long certificates` runs these.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from life import Load, ask_web
from pis import KIT, Pis, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.long("certificates")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
RESIGN = Path(__file__).parent / "resign.py"
MASTER, WORKERS = "pi1", ("pi2", "pi3")
ALL = (MASTER, *WORKERS)
SPARE = "pi4"
ETC = "/etc/kubernetes"
KUBELET = "/var/lib/kubelet/pki/kubelet-client-current.pem"
OF_CA = (
    "pki/apiserver.crt", "pki/apiserver-kubelet-client.crt", "admin.conf", "super-admin.conf",
    "controller-manager.conf", "scheduler.conf",
)  # fmt: skip
OF_ETCD = (
    "pki/etcd/server.crt", "pki/etcd/peer.crt", "pki/etcd/healthcheck-client.crt",
    "pki/apiserver-etcd-client.crt",
)  # fmt: skip
DUE, OVER = ("-300", "30"), ("-400", "-1")  # days from now


@pytest.fixture(scope="module")
def pis(pyz: Path) -> Iterator[Pis]:
    """A master, two workers and a fresh board; nothing of them is left."""
    made = Pis()
    try:
        made.up(len(ALL) + 1)
        made.push(pyz)
        done = made.kubepi(MASTER, "init", "--kit", KIT)
        assert done.returncode == 0, done.stderr
        for node in WORKERS:
            made.write(node, "/root/token", made.token())
            done = made.kubepi(node, "join", "--token-file", "/root/token", "--kit", KIT)
            assert done.returncode == 0, done.stderr
        made.wait_ready(ALL)
        made.apply_web()
        made.web_answers(MASTER, of=ALL)
        yield made
    finally:
        made.down()


def resign(pis: Pis, days: tuple[str, str]) -> None:
    """All that kubeadm signed for the master."""
    pis.lab("push", MASTER, str(RESIGN), "/root/resign.py")
    for authority, names in (
        (f"{ETC}/pki/ca", OF_CA),
        (f"{ETC}/pki/front-proxy-ca", ("pki/front-proxy-client.crt",)),
        (f"{ETC}/pki/etcd/ca", OF_ETCD),
    ):
        files = [f"{ETC}/{name}" for name in names]
        pis.ask(MASTER, "python3", "/root/resign.py", *days, authority, *files)


def resign_kubelet(pis: Pis, node: str, days: tuple[str, str]) -> None:
    """Only the master has the key of the authority."""
    pis.write(MASTER, "/root/kubelet.pem", pis.ask(node, "cat", KUBELET))
    pis.ask(MASTER, "python3", "/root/resign.py", *days, f"{ETC}/pki/ca", "/root/kubelet.pem")
    pis.write(node, KUBELET, pis.ask(MASTER, "cat", "/root/kubelet.pem"))


def served_until(pis: Pis, port: int = 6443) -> str:
    """The end of the certificate that a component serves at this moment."""
    words = f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null"
    return pis.ask(MASTER, "sh", "-c", f"{words} | openssl x509 -noout -enddate").strip()


def status(pis: Pis, node: str) -> str:
    done = pis.run(node, "kubepi", "status", "--json")
    return str(json.loads(done.stdout)["certificates"])


def ailments(pis: Pis, node: str) -> list[str]:
    """What doctor finds; a full disk of this machine takes images away, which is not told here."""
    found = json.loads(pis.run(node, "kubepi", "doctor", "--json").stdout)
    told = [f"{one['name']}: {one['sentence']}" for one in found]
    return [line for line in told if not line.startswith("drift: images")]


def test_they_are_renewed_before_they_end(pis: Pis) -> None:
    """The agent sees it; a job of systemd's does it, one component after the other."""
    resign(pis, DUE)
    assert "ends on" in status(pis, MASTER)
    before, start = served_until(pis), time.monotonic()
    pis.ask(MASTER, "cp", f"{ETC}/admin.conf", "/root/.kube/config")
    old = pis.ask(MASTER, "cat", f"{ETC}/admin.conf")
    with Load(pis, "pi2", ask_web) as load:
        pis.ask(MASTER, "systemctl", "restart", "kubepi-agent")
        unit = ("systemctl", "is-active", "kubepi-certificates")
        wait_for("the agent to begin", lambda: pis.ask(MASTER, "cat", f"{ETC}/admin.conf") != old
                 or None, 120)  # fmt: skip
        wait_for("the job to end", lambda: pis.run(MASTER, *unit).returncode or None, 600)
    print(f"\nrenewed {time.monotonic() - start:.0f} s after the agent's start; {load}")
    log = pis.ask(MASTER, "tail", "-n", "300", "/var/log/kubepi.log")
    assert served_until(pis) != before, log
    assert served_until(pis, 2379) != before
    assert ailments(pis, MASTER) == []
    assert pis.ask(MASTER, "cat", "/root/.kube/config") == pis.ask(
        MASTER, "cat", f"{ETC}/admin.conf"
    )
    assert pis.nodes_ready() == set(ALL)
    assert load.failures == []


def test_doctor_fix_heals_a_cluster_whose_certificates_have_ended(pis: Pis) -> None:
    end_them_all(pis)
    found = pis.run(MASTER, "kubepi", "doctor")
    print(f"\n{found.stdout}")
    assert found.returncode == 1
    assert "ended on" in found.stdout
    assert "sudo kubepi doctor --fix" in found.stdout
    assert "ended on" in pis.run(WORKERS[0], "kubepi", "doctor").stdout
    for node in ALL:
        start = time.monotonic()
        done = pis.run(node, "kubepi", "doctor", "--fix")
        print(f"{node}: healed in {time.monotonic() - start:.0f} s\n{done.stderr}")
        failed = [line for line in done.stderr.splitlines() if line.startswith("failed")]
        assert failed == []
    is_healed(pis)


def end_them_all(pis: Pis) -> None:
    """As after a year in a cupboard: plugs out, dates in the past, plugs in."""
    for node in (*WORKERS, MASTER):
        resign_kubelet(pis, node, OVER)
    resign(pis, OVER)
    for node in ALL:
        pis.ask(node, "sync")
        pis.lab("cut", node)
    for node in ALL:
        pis.lab("boot", node)
    assert pis.nodes_ready() == set(), "the API answers, with certificates that have ended"


def is_healed(pis: Pis) -> None:
    pis.wait_ready(ALL)
    assert pis.web_answers(WORKERS[0], of=ALL)
    for node in ALL:
        gone = pis.run(node, "test", "-e", f"{ETC}/bootstrap-kubelet.conf")
        assert gone.returncode == 1, "it holds a token"
        assert ailments(pis, node) == []


@pytest.mark.parametrize("round_", range(3))
def test_healing_goes_on_after_a_power_cut(pis: Pis, round_: int) -> None:
    """At a random moment on the master, then on a worker; the same command finishes."""
    print(f"\nKUBEPI_SEED={SEED}")
    moments = random.Random(f"{SEED} {round_}")
    end_them_all(pis)
    for node, longest in ((MASTER, 30.0), (WORKERS[0], 8.0)):
        moment = moments.uniform(0.5, longest)
        process = pis.start(node, "kubepi", "doctor", "--fix")
        time.sleep(moment)
        pis.lab("cut", node)
        said = process.communicate(timeout=30)[0].strip().splitlines() or [""]
        pis.lab("boot", node)
        start = time.monotonic()
        # what goes on at the boot by itself and the person are not in each other's way
        wait_for(f"{node} to heal", partial(fixed, pis, node), 600)
        print(f"{node}: cut {moment:.1f} s on, after: {said[-1]}; healed "
              f"{time.monotonic() - start:.0f} s after the boot")  # fmt: skip
    wait_for(f"{WORKERS[1]} to heal", partial(fixed, pis, WORKERS[1]), 600)
    is_healed(pis)


def fixed(pis: Pis, node: str) -> bool | None:
    """5: the unit that goes on after a boot is at it."""
    done = pis.run(node, "kubepi", "doctor", "--fix")
    healthy = pis.run(node, "sh", "-c", "test ! -e /var/lib/kubepi/pending")
    if done.returncode == 5 or healthy.returncode:
        return None
    return True if "certificate" not in done.stdout else None


def one_token(pis: Pis) -> str | None:
    """The one that all nodes have, when none is waited for any more."""
    for node in ALL:
        kept = pis.run(node, "cat", "/var/lib/kubepi/secrets/rotation").stdout
        if not kept or json.loads(kept)["before"]:
            return None
    found = {pis.token(node) for node in ALL}
    return found.pop() if len(found) == 1 else None


def test_another_token_reaches_also_who_was_off(pis: Pis) -> None:
    old, off = pis.token(), WORKERS[1]
    pis.lab("cut", off)
    done = pis.kubepi(MASTER, "token", "rotate")
    assert done.returncode == 1, done.stderr
    assert f"Not heard with it yet: {off}" in done.stdout
    assert pis.token(WORKERS[0]) == pis.token(MASTER) != old
    pis.lab("boot", off)
    start = time.monotonic()
    assert wait_for("one token", partial(one_token, pis), 300) != old
    print(f"\n{off} has it {time.monotonic() - start:.0f} s after its boot")
    pis.wait_ready(ALL)
    trusted = [one for one in json.loads(pis.ask(off, "kubepi", "nodes", "--json"))
               if one.get("trusted", True)]  # fmt: skip
    assert len(trusted) >= len(ALL)


@pytest.mark.parametrize("round_", range(3))
def test_a_change_of_the_token_survives_a_cut_of_who_asked(pis: Pis, round_: int) -> None:
    moment = random.Random(f"{SEED} token {round_}").uniform(0, 4)
    process = pis.start(MASTER, "kubepi", "token", "rotate")
    time.sleep(moment)
    pis.lab("cut", MASTER)
    process.communicate(timeout=30)
    pis.lab("boot", MASTER)
    wait_for("the API", lambda: pis.nodes_ready() or None, 300)
    done = pis.kubepi(MASTER, "token", "rotate")
    print(f"\nKUBEPI_SEED={SEED}: cut {moment:.1f} s on, then: {done.stdout}")
    wait_for("one token", partial(one_token, pis), 300)
    pis.wait_ready(ALL)


def test_a_backup_of_before_a_change_makes_no_second_master(pis: Pis) -> None:
    """The living one speaks with a token that the backup does not know."""
    file = pis.ask(MASTER, "kubepi", "backup").splitlines()[0]
    assert pis.kubepi(MASTER, "token", "rotate").returncode == 0
    wait_for("one token", partial(one_token, pis), 300)
    pis.write(SPARE, "/root/old.base64", pis.ask(MASTER, "base64", file))
    pis.ask(SPARE, "sh", "-c", "base64 -d /root/old.base64 > /root/old.tar.gz")
    done = pis.kubepi(SPARE, "restore", "/root/old.tar.gz", "--kit", KIT)
    assert done.returncode == 4, done.stderr
    assert "is heard with another token: pi1" in done.stderr
    assert "--token-file" in done.stderr
    pis.write(SPARE, "/root/token", pis.token())
    words = ("restore", "/root/old.tar.gz", "--kit", KIT, "--token-file", "/root/token", "--force")
    done = pis.kubepi(SPARE, *words)
    assert done.returncode == 4, done.stderr
    assert "a master of this cluster is heard: pi1" in done.stderr
    assert pis.run(SPARE, "test", "-e", "/var/lib/kubepi/goal.json").returncode == 1
