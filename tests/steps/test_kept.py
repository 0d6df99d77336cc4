"""kubepi/steps/kept.py: every file that kubepi touched is as it was, and its own go last."""

from pathlib import Path

from kubepi.machine import state
from kubepi.steps.files import File
from kubepi.steps.install import FILE, LAUNCHER
from kubepi.steps.kept import LAST, KeptRestored
from tests.fakes import FakePi
from tests.steps.lawful import obeys

STEP = KeptRestored()


def touched(folder: Path) -> FakePi:
    pi = FakePi(folder, {"/etc/a.conf": "theirs\n", "/usr/local/bin/.keep": "", "/etc/x y%z": "1"})
    File("/etc/a.conf", "ours\n").apply(pi)
    File("/etc/b.d/c.d/b.conf", "ours\n").apply(pi)
    File("/etc/x y%z", "2").apply(pi)
    File(LAUNCHER, "launcher", 0o755).apply(pi)
    return pi


def test_it_obeys_the_laws(tmp_path: Path) -> None:
    pi = obeys(STEP, touched, tmp_path)
    assert pi.read("/etc/a.conf") == "theirs\n"
    assert pi.read("/etc/x y%z") == "1"
    assert pi.listdir("/etc") == ["a.conf", "x y%z"]


def test_kubepis_own_files_are_needed_until_the_end(tmp_path: Path) -> None:
    pi = touched(tmp_path)
    assert str(STEP.check(pi.read_only())) == "3 of kubepi's are there"
    STEP.apply(pi)
    assert pi.read(LAUNCHER) == "launcher"
    assert {LAUNCHER, FILE} <= set(LAST)
    assert pi.listdir(state.KEPT) == [state.kept_file(LAUNCHER).rpartition("/")[2]]


def test_where_nothing_was_touched_nothing_is_done(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/etc/a.conf": "theirs\n"})
    before = pi.tree()
    assert STEP.check(pi.read_only()) is None
    STEP.apply(pi)
    assert pi.tree() == before


def test_a_strange_file_among_the_kept_copies_is_left_alone(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {f"{state.KEPT}/README": "hello"})
    assert STEP.check(pi.read_only()) is None
    STEP.apply(pi)
    assert pi.read(f"{state.KEPT}/README") == "hello"
