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
        (("--expect", "-1"), "--expect: cluster.expect: -1 is no number of Pis"),
        (("--expect", "5", "--name", "Küche!"), "--name: node.name: "),
        (("--expect", "5", "--country", "Germany"), "--country: wifi.country: "),
        (("--expect", "5", "--user", "ann"), "first_boot.user: needs first_boot.ssh_keys"),
        (("--expect", "5", "--timezone", "Europe/Olso"), "there is no time zone Europe/Olso"),
        (("--expect", "5", "--wifi", "Attic"), "sdcard must know the Wi-Fi's password"),
        (("--expect", "5", "--kit", "."), "bundle.yaml is missing"),
        (("--expect", "5", "--ssh-key", "none.pub"), "cannot read none.pub"),
    ],
)
def test_what_would_be_wrong_on_the_pi_is_refused_here(
    words: tuple[str, ...], said: str, pyz: Path, card: Path
) -> None:
    before = content(card.parent)
    done = sdcard(pyz, card, *words)
    assert done.returncode in (1, 2, 3)
    assert said in done.stderr and "\nhint: " in done.stderr
    assert content(card.parent) == before


PASSWORD = "swordfish in the attic"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann"


def test_login_and_wifi_are_given_once_for_all_cards(pyz: Path, card: Path) -> None:
    """And of the Wi-Fi's password only the key is kept, nowhere shown."""
    folder = card.parent
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "ann.pub").write_text(f"# mine\n{KEY}\n")
    words = ["--expect", "5", "--wifi", "Attic", "--wifi-password-file", "password"]
    words += ["--country", "DE", "--user", "ann", "--ssh-key", "ann.pub"]
    first = sdcard(pyz, card, *words, "--timezone", "Europe/Berlin", "--name", "pi-attic")
    assert first.returncode == 0, first.stderr
    second = folder / "second"
    second.mkdir()
    for name, text in CARDS["bookworm"].items():
        (second / name).write_text(text)
    done = sdcard(pyz, second)
    assert done.returncode == 0, done.stderr
    config = (second / "kubepi.yaml").read_text()
    for line in ('ssid: "Attic"', 'country: "DE"', 'user: "ann"', f'ssh_keys: ["{KEY}"]'):
        assert line in config
    assert "pi-attic" not in config
    psk = config.partition('psk: "')[2].partition('"')[0]
    assert len(psk) == 64
    said = first.stdout + first.stderr + done.stdout + done.stderr
    assert PASSWORD not in said and psk not in said
    for file in (folder / "kubepi-cluster.yaml", card / "kubepi.yaml", second / "kubepi.yaml"):
        assert PASSWORD not in file.read_text()
    assert "cfg80211.ieee80211_regdom=DE" in (second / "cmdline.txt").read_text()


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
