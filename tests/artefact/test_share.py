"""kubepi.pyz with a share that cannot be: told before anything is changed, each by a sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubepi.machine import state
from tests.artefact.bench import Bench, bench_of
from tests.disk_programs import put_disk
from tests.scene import KIT

DISK = "/dev/disk/by-id/usb-T7"
INIT = ("init", "--kit", KIT, "--address", "10.0.0.7")


@pytest.fixture
def bench(pyz: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(pyz, tmp_path / "pi") as found:
        yield found


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (f"storage: {{nfs: {{device: {DISK}}}}}", f"share: {DISK} holds ext4 named 'photos'"),
        ("storage: {nfs: {device: /dev/disk/by-id/none}}", "share: there is no disk"),
        ("storage: {nfs: {path: /srv/file}}", "share: /srv/file is a file"),
        ("storage: {nfs: {mount: /srv/mine}}", "share: /srv/mine is not an empty folder"),
        (f"storage: {{node_data: {DISK}}}", f"node-data: {DISK} holds ext4 named 'photos'"),
    ],
)
def test_what_is_in_the_way_is_told_and_nothing_is_changed(
    config: str, told: str, bench: Bench
) -> None:
    put_disk(bench.pi, DISK, "TYPE=ext4\nLABEL=photos\n")
    bench.pi.put("/srv/file", "")
    bench.pi.put("/srv/mine/letter", "dear")
    bench.pi.put("/etc/kubepi/kubepi.yaml", f"{config}\n")
    before = bench.pi.tree(ignoring=("/var/log",))
    for words in (INIT, (*INIT, "--dry-run")):
        done = bench.run(*words)
        assert done.returncode == 4, done.stderr
        assert f"\n  {told}" in done.stderr
        assert "\n    cure: " in done.stderr
    assert bench.pi.tree(ignoring=("/var/log",)) == before
    assert not bench.pi.exists(state.STATE)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("storage: {nfs: {device: /dev/sda}}", "is not a disk by its stable id"),
        ("storage: {nfs: {server: NAS}}", "did you mean nas?"),
        ("storage: {nfs: {path: /etc}}", "belongs to the system"),
        ("storage: {nfs: {mount: /srv/kubepi/x}}", "are within each other"),
        ("storage: {nfs: {servr: nas}}", "unknown setting; did you mean server?"),
        ("addons: {install: [heloo]}", "did you mean hello?"),
        ("addons: {settings: {hello: {prot: 1}}}", "hello.prot: unknown setting"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(config: str, told: str, bench: Bench) -> None:
    bench.pi.put("/etc/kubepi/kubepi.yaml", f"{config}\n")
    done = bench.run(*INIT)
    assert done.returncode == 3
    assert done.stderr.startswith("kubepi: /etc/kubepi/kubepi.yaml:1: ")
    assert told in done.stderr
    assert not bench.pi.exists(state.STATE)
