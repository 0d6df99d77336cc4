"""kubepi/machine/etcd_data.py and what doctor makes of it: damage is named, a cure is offered."""

from pathlib import Path

import pytest

from kubepi.machine import etcd_data, state
from kubepi.machine.backups import BACKUPS
from kubepi.report.ailments import examine
from kubepi.steps.backups import BackupMade
from tests.fakes import FakePi
from tests.steps.test_backups import NAMES, with_etcd
from tests.unit.test_bolt import database

DB = etcd_data.DATABASE
LOG = "/var/log/pods/kube-system_etcd-pi7_0123/etcd"


def with_database(folder: Path, size: int) -> FakePi:
    pi = with_etcd(folder)
    pi.put(f"{etcd_data.MEMBER}/wal/0.wal", "entries")
    pi.path(DB).write_bytes(database().ljust(100 * 4096, b"\0")[:size])
    return pi


def test_whole_data_is_left_in_peace(tmp_path: Path) -> None:
    pi = with_database(tmp_path / "pi", 100 * 4096)
    assert etcd_data.problem(pi) is None
    assert etcd_data.last_words(pi) is None


@pytest.mark.parametrize("size", [0, 100, 4096, 99 * 4096])
def test_a_database_that_is_cut_off_is_damaged(size: int, tmp_path: Path) -> None:
    pi = with_database(tmp_path / "pi", size)
    assert "its database is damaged" in (etcd_data.problem(pi) or "")


def test_data_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    assert etcd_data.problem(pi) == "its data is not there"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("panic: freepages: failed to get all reachable pages", "panic: freepages"),
        ("fatal error: fault", "fatal error: fault"),
        ('{"level":"fatal","msg":"failed to open","error":"crc mismatch"}', "open crc mismatch"),
        ('{"level":"panic","msg":"tocommit(9) is out of range"}', "tocommit(9) is out of range"),
    ],
)
def test_the_last_words_of_etcd_are_repeated(line: str, words: str, tmp_path: Path) -> None:
    pi = with_database(tmp_path / "pi", 100 * 4096)
    stamp = "2026-11-22T03:00:00.0Z stderr F "
    rest = "".join(f"{stamp}goroutine {n} [running]:\n" for n in range(9))
    pi.put(f"{LOG}/1.log", f'{stamp}{{"level":"info","msg":"starts"}}\n{stamp}{line}\n{rest}')
    assert words in (etcd_data.last_words(pi) or "")


def test_doctor_offers_the_newest_good_backup(tmp_path: Path) -> None:
    pi = with_database(tmp_path / "pi", 4096)
    for name in NAMES[:2]:
        BackupMade(name).apply(pi)
    pi.put(f"{BACKUPS}/{NAMES[1]}", "half of it")
    assert not any(ailment.name == "etcd" for ailment in examine(pi.read_only()))
    pi.running.discard("kubelet.service")
    ailments = examine(pi.read_only())
    assert not any(ailment.name == "drift" for ailment in ailments), "one cause, one cure"
    found = next(ailment for ailment in ailments if ailment.name == "etcd")
    assert "cut off" in found.sentence
    assert f"sudo kubepi restore {pi.path(BACKUPS)}/{NAMES[0]}" in found.cure
    pi.path(f"{BACKUPS}/{NAMES[0]}").unlink()
    found = next(ailment for ailment in examine(pi.read_only()) if ailment.name == "etcd")
    assert "--from" in found.cure


def test_doctor_tells_the_old_master_what_it_is(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    pi.put(state.REPLACED, "10.0.0.9\n")
    found = next(ailment for ailment in examine(pi.read_only()) if ailment.name == "replaced")
    assert "10.0.0.9" in found.sentence and "reset" in found.cure
