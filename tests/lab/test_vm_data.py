"""etcd, containerd and kubelet on a disk of their own: cut, and booted without that disk.

On a virtual machine of uml.py, since only a kernel of its own has disks to pull out.
`tests/run --long vm-data`.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from labrun import wait_until
from pis import FILE, KIT
from uml import uml_image
from umlkit import with_older_tables
from vmlab import amd64_kit, vm_labs
from vmshare import ASK_SECONDS, CONFIG, DISK, SpareVm, settle

from kubepi.decide.mounts import DATA, NODE_DATA

pytestmark = [pytest.mark.lab, pytest.mark.long("vm-data")]
NODE = "kubectl get nodes | grep -c ' Ready '"
CARD = "/run/card"  # the card's own folders, whatever is mounted over them
ON_THE_CARD = f"mkdir -p {CARD} && mount --bind / {CARD} && find {{}} -mindepth 1; umount {CARD}"


class DataVm(SpareVm):
    spare_size = "6G"


@pytest.fixture(scope="module")
def pi(pyz: Path) -> Iterator[DataVm]:
    """A master with its data on the disk."""
    with vm_labs(uml_image(), with_older_tables(amd64_kit()), DataVm, 1) as (pi,):
        pi.switch_on()
        settle(pi, pyz)
        config = f"{CONFIG}storage:\n  node_data: {DISK}\n"
        pi.ask("mkdir -p /etc/kubepi && cat > /etc/kubepi/kubepi.yaml", stdin=config)
        pi.must(f"python3 -I {FILE} init --kit {KIT}")
        yield pi


def written_to_the_card(pi: DataVm) -> list[str]:
    places = " ".join(f"{CARD}{place}" for place in (DATA, *NODE_DATA.values()))
    return pi.must(ON_THE_CARD.format(places)).split()


def test_all_of_it_is_there_and_nothing_on_the_card(pi: DataVm) -> None:
    for folder, place in NODE_DATA.items():
        found = json.loads(pi.must(f"findmnt --json --target {place}"))["filesystems"][0]
        assert found["source"] == f"/dev/ubdc[/{folder}]"
    assert written_to_the_card(pi) == []
    pi.until("as wanted", "kubepi status")


def test_it_is_found_again_after_a_power_cut_and_after_a_reboot(pi: DataVm) -> None:
    pi.must("kubectl create configmap letter --from-literal=word=dear; sync")
    for off_and_on in (pi.cut, pi.reboot):
        off_and_on()
        if not pi.is_on:
            pi.boot()
        pi.until("Ready", f"{NODE} | grep 1")
        assert pi.must("kubectl get configmap letter -o jsonpath={.data.word}") == "dear"
    assert written_to_the_card(pi) == []


def test_without_the_disk_nothing_is_written_to_the_card(pi: DataVm) -> None:
    pi.shut_down()
    pi.pulled_out = True
    pi.boot()
    pi.must("systemctl is-system-running --wait")
    for unit in ("containerd", "kubelet"):
        assert pi.ssh(f"systemctl is-active {unit}").stdout.strip() == "inactive"
    done = pi.ssh("kubepi status 2>&1", seconds=120)
    print(done.stdout, flush=True)
    assert done.returncode != 0
    assert DISK in done.stdout
    assert written_to_the_card(pi) == []
    pi.shut_down()
    pi.pulled_out = False
    pi.boot()
    pi.until("Ready", f"{NODE} | grep 1")
    assert pi.must("kubectl get configmap letter -o jsonpath={.data.word}") == "dear"


def test_a_reset_leaves_the_disk_and_what_is_on_it(pi: DataVm) -> None:
    pi.must("kubepi reset --yes")
    assert wait_until(lambda: not pi.ssh(f"findmnt {DISK}").stdout, 60, ASK_SECONDS)
    assert written_to_the_card(pi) == []
    assert pi.must(f"blkid -o value -s LABEL {DISK}").strip() == "kubepi-data"
