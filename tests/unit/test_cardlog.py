"""kubepi/cardlog.py: lines on a prepared card, without secrets, and never too many."""

from pathlib import Path

from kubepi.cardlog import LARGEST, NAME, card_log
from kubepi.steps.card import RECORD
from tests.fakes import FakePi

BOOT = "/boot/firmware"
STAMP = "2027-01-15 08:00:00"  # the fake clock's


def prepared(folder: Path) -> FakePi:
    return FakePi(folder, {f"{BOOT}{RECORD}": "{}"})


def test_only_a_prepared_card_has_one(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {f"{BOOT}/cmdline.txt": ""})
    assert card_log(pi, None) is None
    assert card_log(pi, BOOT) is None


def test_lines_are_appended_and_hold_no_secret(tmp_path: Path) -> None:
    pi = prepared(tmp_path)
    pi.log.hide("canary-canary")
    write = card_log(pi, BOOT)
    assert write is not None
    write("changed file a")
    write("failed: canary-canary")
    assert pi.read(f"{BOOT}/{NAME}") == (
        f"{STAMP} changed file a\n{STAMP} failed: [secret]\n"
    )


def test_it_begins_anew_before_it_fills_the_card(tmp_path: Path) -> None:
    pi = prepared(tmp_path)
    pi.put(f"{BOOT}/{NAME}", "x" * (LARGEST + 1))
    write = card_log(pi, BOOT)
    assert write is not None
    write("new")
    assert pi.read(f"{BOOT}/{NAME}") == f"{STAMP} new\n"


def test_a_card_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    pi = prepared(tmp_path)
    write = card_log(pi, BOOT)
    assert write is not None
    pi.path(f"{BOOT}/{NAME}").mkdir()
    write("lost")
    assert pi.path(f"{BOOT}/{NAME}").is_dir()
