"""`kubepi.pyz sdcard` as a user types it, on a folder that is a card's boot partition."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cards import CARDS


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "bootfs"
    folder.mkdir()
    for name, text in CARDS["trixie"].items():
        (folder / name).write_text(text)
    return folder


def sdcard(pyz: Path, card: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """From a folder of the user's, without a terminal and without root's rights needed."""
    return subprocess.run(
        [sys.executable, "-I", str(pyz), "sdcard", str(card), *words],
        cwd=card.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_first_card_makes_the_cluster_and_the_second_is_of_it(pyz: Path, card: Path) -> None:
    first = sdcard(pyz, card, "--expect", "5", "--name", "pi-attic")
    assert first.returncode == 0, first.stderr
    assert "card: Raspberry Pi OS trixie, never booted" in first.stderr
    assert (card / "kubepi.pyz").read_bytes() == pyz.read_bytes()
    config = (card / "kubepi.yaml").read_text()
    assert 'name: "pi-attic"' in config and "expect: 5" in config
    shared = card.parent / "kubepi-cluster.yaml"
    assert shared.stat().st_mode & 0o777 == 0o600
    token = shared.read_text().partition('token: "')[2].partition('"')[0]
    assert token and token in config
    assert token not in first.stdout + first.stderr

    second = card.with_name("second")
    second.mkdir()
    for name, text in CARDS["bookworm"].items():
        (second / name).write_text(text)
    done = sdcard(pyz, second)
    assert done.returncode == 0, done.stderr
    assert token in (second / "kubepi.yaml").read_text()


def test_a_second_run_changes_nothing_and_undo_takes_all_back(pyz: Path, card: Path) -> None:
    before = content(card)
    sdcard(pyz, card, "--expect", "3")
    after = content(card)
    again = sdcard(pyz, card)
    assert again.returncode == 0
    assert "0 changed" in again.stderr
    assert content(card) == after
    done = sdcard(pyz, card, "--undo")
    assert done.returncode == 0, done.stderr
    assert content(card) == before


def test_a_dry_run_only_says_what_would_change(pyz: Path, card: Path) -> None:
    before = content(card.parent)
    done = sdcard(pyz, card, "--expect", "3", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "would change cmdline.txt: lacks cgroup_enable=memory systemd.run=" in done.stderr
    assert content(card.parent) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "sdcard must know how many Pis there will be"),
        (("--expect", "-1"), "cluster.expect: -1 is no number of Pis"),
        (("--expect", "5", "--name", "Küche!"), "node.name: "),
        (("--expect", "5", "--country", "Germany"), "wifi.country: "),
    ],
)
def test_what_would_be_wrong_on_the_pi_is_refused_here(
    words: tuple[str, ...], said: str, pyz: Path, card: Path
) -> None:
    before = content(card.parent)
    done = sdcard(pyz, card, *words)
    assert done.returncode == 2
    assert said in done.stderr and "\nhint: " in done.stderr
    assert content(card.parent) == before


def test_a_card_of_another_size_of_cluster_is_refused(pyz: Path, card: Path) -> None:
    sdcard(pyz, card, "--expect", "5")
    done = sdcard(pyz, card, "--expect", "3")
    assert done.returncode == 2
    assert "kubepi-cluster.yaml says 5 Pis of the cluster 'home'" in done.stderr


def test_what_is_no_card_is_refused(pyz: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = sdcard(pyz, tmp_path / "photos", "--expect", "5")
    assert done.returncode == 2
    assert "this is no boot partition of a Raspberry Pi" in done.stderr
    assert sdcard(pyz, tmp_path / "nowhere").returncode == 2
