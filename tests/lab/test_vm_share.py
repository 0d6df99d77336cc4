"""The share on two virtual machines: a server that is away, a pod that moves, a disk that comes.

With a kernel, NFS and Kubernetes of their own: uml.py tells what is different from a Pi.
`tests/run --long vm-share`. The seed is printed; KUBEPI_SEED repeats the moments of the cuts.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from labrun import wait_until
from vmshare import (
    ASK_SECONDS,
    DISK,
    FOLDER,
    MOUNT,
    MOVE,
    WRITER,
    SpareVm,
    checksums,
    numbers,
    phase,
    share_lab,
)

pytestmark = [pytest.mark.lab, pytest.mark.long("vm-share")]
SEED = int(os.environ.get("KUBEPI_SEED", time.time_ns() % 1_000_000))
CUTS = 5
BEGIN = f"systemd-run --quiet --collect --unit migrate kubepi storage migrate --to {DISK}"
STATUS = "kubepi status 2>&1"
USERSPACE = "systemctl show -P UserspaceTimestampMonotonic -P FinishTimestampMonotonic"
Pair = tuple[SpareVm, SpareVm]


@pytest.fixture(scope="module")
def pair(pyz: Path) -> Iterator[Pair]:
    print(f"\nKUBEPI_SEED={SEED}", flush=True)
    with share_lab(pyz) as pair:
        yield pair


def boot_seconds(vm: SpareVm) -> float:
    """How long its last boot took, from the first process to the last unit."""
    vm.until("booted", "systemctl is-system-running --wait | grep -E 'running|degraded'")
    start, end = (int(word) for word in vm.must(USERSPACE).split())
    return (end - start) / 1_000_000


def test_both_have_it_by_the_automount(pair: Pair) -> None:
    one, two = pair
    assert f"What={one.address}:/srv/kubepi" in two.must("systemctl cat mnt-kubepi.mount")
    two.must(f"echo dear > {MOUNT}/letter")
    assert one.must(f"cat {MOUNT}/letter /srv/kubepi/letter") == "dear\ndear\n"
    assert "nfs4" in two.must(f"findmnt -n -o FSTYPE {MOUNT}")
    assert "nfs" not in one.must(f"findmnt -n -o FSTYPE {MOUNT}"), "none to itself"
    assert "pi1, pi2" in one.must("kubepi storage show")
    said = one.must("kubepi storage check")
    print(said, flush=True)
    assert [line.partition(":")[0] for line in said.splitlines()] == ["pi1", "pi2"]
    listening = one.must("ss -H -ltn | awk '{print $4}'")
    assert ":2049" in listening
    assert ":111" not in listening.split(), "NFSv4 needs no portmapper"


def test_nothing_is_written_where_it_is_not_mounted(pair: Pair) -> None:
    two = pair[1]
    two.must("systemctl stop mnt-kubepi.automount mnt-kubepi.mount")
    assert two.ssh(f"touch {MOUNT}/lost").returncode != 0
    two.must("systemctl start mnt-kubepi.automount")
    assert two.must(f"cat {MOUNT}/letter") == "dear\n"


def test_a_pods_data_is_there_on_another_node(pair: Pair) -> None:
    one, two = pair
    one.ask("cat > /root/writer.yaml", stdin=WRITER)
    one.must("kubectl apply -f /root/writer.yaml")
    two.until("written to", f"test -s {FOLDER}/numbers")
    before = numbers(two)
    elsewhere = '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"pi1"}}}}}'
    one.must(f"kubectl patch deployment writer -p '{elsewhere}'")
    one.must("kubectl rollout status deployment writer --timeout=900s")
    where = one.must("kubectl get pod -l app=writer -o jsonpath={.items[*].spec.nodeName}")
    assert where == "pi1"
    assert wait_until(lambda: len(numbers(one)) > len(before) + 3, 300, ASK_SECONDS)
    found = numbers(two)
    assert found == list(range(1, len(found) + 1)), "one is missing or twice"
    back = elsewhere.replace("pi1", "pi2")
    one.must(f"kubectl patch deployment writer -p '{back}'")
    one.must("kubectl rollout status deployment writer --timeout=900s")


def test_a_server_that_is_away_holds_up_no_boot(pair: Pair) -> None:
    one, two = pair
    two.reboot()
    usual = boot_seconds(two)
    two.until("back", f"cat {MOUNT}/letter")
    one.cut()
    start = time.monotonic()
    two.reboot()
    print(f"a reboot without the server took {time.monotonic() - start:.0f} s", flush=True)
    without = boot_seconds(two)
    print(f"boot with the server {usual:.0f} s, without {without:.0f} s", flush=True)
    assert "the server pi1" in two.ssh(STATUS, seconds=120).stdout
    one.boot()
    two.until("mounted again", f"cat {MOUNT}/letter")
    one.until("ready again", "kubectl get nodes | grep -c ' Ready ' | grep 2")
    two.until("without complaint", f"{STATUS} | grep -v 'the server'")


def test_its_data_moves_to_a_disk_through_five_power_cuts(pair: Pair) -> None:
    one, two = pair
    chance = random.Random(SEED)
    one.must(f"mkdir {FOLDER}/files && cd {FOLDER}/files && "
             "for n in $(seq 200); do head -c 100000 /dev/urandom > $n; done; sync")  # fmt: skip
    before, written = checksums(one, FOLDER), len(numbers(one))
    cuts: list[str] = []

    def enters_another_phase() -> bool:
        found = phase(one)
        return bool(found) and cuts.count(found) < (2 if found == "begun" else 1)

    one.until("on its way", f"test -e {MOVE} || {{ {BEGIN}; false; }}")
    while True:  # it goes on by itself after each boot
        assert wait_until(enters_another_phase, 1800, 0.2), one.log()
        time.sleep(chance.uniform(0, 40 if phase(one) == "begun" else 0.5))
        if (now := phase(one)) == "done":
            break
        print(f"cut {len(cuts) + 1} in the phase {now!r}", flush=True)
        one.cut()
        cuts.append(now)
        print(f"  booted in {one.boot():.0f} s", flush=True)
    assert len(cuts) >= CUTS
    one.until("as wanted", "kubepi status", 1800)
    assert one.must("findmnt -n -o SOURCE /srv/kubepi-2").strip().startswith("/dev/ubd")
    assert checksums(one, FOLDER) == before
    assert checksums(one, "/srv/kubepi/default/data") == before, "the old data is still there"
    one.must("kubectl rollout status deployment writer --timeout=900s")
    assert wait_until(lambda: len(numbers(two)) > written + 3, 300, ASK_SECONDS)
    found = numbers(two)
    assert found == list(range(1, len(found) + 1)), "one is missing or twice"
    assert "/srv/kubepi-2" in two.must("systemctl cat mnt-kubepi.mount")
    one.must("kubepi storage migrate --forget-old --yes")
    assert one.ssh("test -e /srv/kubepi").returncode == 1


def test_a_full_share_is_told_and_writes_fail_cleanly(pair: Pair) -> None:
    one, two = pair
    assert two.ssh(f"dd if=/dev/zero of={MOUNT}/fill bs=1M", seconds=900).returncode != 0
    assert "is full" in two.ssh(STATUS, seconds=120).stdout
    assert "is full" in one.ssh(STATUS, seconds=120).stdout
    assert "No space left" in one.ssh("kubepi storage check", seconds=300).stdout
    two.must(f"rm {MOUNT}/fill")
    one.until("fine again", "kubepi storage check")
