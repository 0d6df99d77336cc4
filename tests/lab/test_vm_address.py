"""The server of the share gets another address: with real NFS, and a pod that writes all the time.

Two emulated machines, about half an hour on a machine that does nothing else:
`tests/run --long vm-address`. Containers cannot show it, their kernel has no NFS.
"""

import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from labrun import LabError, wait_until
from vmimage import NETWORK
from vmshare import ASK_SECONDS, FOLDER, MOUNT, WRITER, SpareVm, numbers, share_lab

pytestmark = [pytest.mark.lab, pytest.mark.long("vm-address")]
LEASE = "/etc/systemd/network/50-lab.network"  # before the one of this name that the VM booted with
POD = "kubectl get pod -l app=writer -o jsonpath={.items[*].metadata.uid}"
Pair = tuple[SpareVm, SpareVm]


@pytest.fixture(scope="module")
def pair(pyz: Path) -> Iterator[Pair]:
    with share_lab(pyz) as (one, two):
        one.ask("cat > /root/writer.yaml", stdin=WRITER)
        one.must("kubectl apply -f /root/writer.yaml")
        two.until("written to", f"test -s {FOLDER}/numbers")
        yield one, two


def renew(vm: SpareVm, address: str) -> None:
    """As a DHCP server that has another address for it; the answer has nowhere to go."""
    vm.ask(f"cat > {LEASE}", stdin=NETWORK.format(address=address, gateway=vm.gateway))
    vm.must("systemd-run --quiet --on-active=1 sh -c "
            "'networkctl reload && networkctl reconfigure eth0'")  # fmt: skip
    vm.address = address
    if not wait_until(lambda: vm.ssh("true").returncode == 0, 300, 1.0):
        raise LabError(vm.diagnosis(f"does not answer at {address}"))


@pytest.mark.parametrize("round_", (1, 2))
def test_what_a_pod_writes_goes_on_at_the_servers_new_address(pair: Pair, round_: int) -> None:
    one, two = pair
    before, pod = len(numbers(two)), one.must(POD)
    start = time.monotonic()
    renew(one, str(IPv4Address(one.address) + 40))
    assert wait_until(lambda: written(two) > before + 3, 1200, ASK_SECONDS), two.log()
    print(f"the writer goes on {time.monotonic() - start:.0f} s after the new address", flush=True)
    for vm in (one, two):
        noted = f"{vm.address} {one.address}"
        vm.until("content", f"grep -qx '{noted}' /var/lib/kubepi/addresses && kubepi status")
    found = numbers(two)
    assert found == list(range(1, len(found) + 1)), "one is missing or twice"
    assert one.must(POD) == pod, "it is another pod"
    assert f"What={one.address}:/srv/kubepi" in two.must("systemctl cat mnt-kubepi.mount")
    assert one.must(f"tail -n 1 {FOLDER}/numbers").strip() in two.must(f"cat {FOLDER}/numbers")
    two.must(f"echo {round_} > {MOUNT}/letter")
    assert one.must(f"cat {MOUNT}/letter").strip() == str(round_)


def written(vm: SpareVm) -> int:
    """How many the writer has, by its own file; none while the share does not answer."""
    done = vm.ssh(f"timeout --signal=KILL 5 wc -l {FOLDER}/numbers", seconds=30)
    return int(done.stdout.split()[0]) if done.returncode == 0 else 0
