"""A Raspberry Pi OS on which nobody presses a key becomes a Ready node by itself, and stays one.

Its wizard waits for a keyboard for ever, so that multi-user.target is never reached, and Imager's
user-data makes cloud-init write /etc/hosts anew at every boot: `tests/run --long pios`.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labcards import prepared_card, with_kit
from pis import Pis, wait_for
from vmlab import amd64_kit

from kubepi.decide.credentials import new_token
from tests.cards import CARDS

pytestmark = [pytest.mark.lab, pytest.mark.long("pios")]
NODE = "pi1"
NAME = "kitchen"  # as Imager's user-data has it
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann"
WAYS = ("hook", "vendor-data", "by hand")
TOKENS = (
    "cgroup_enable=memory systemd.run=/boot/firmware/kubepi.pyz systemd.run_success_action=reboot "
    "systemd.run_failure_action=reboot systemd.unit=kernel-command-line.target"
)


def card_of(way: str, pyz: Path, folder: Path) -> Path:
    """By hand: two files and what the README tells to add to the line."""
    files = CARDS["trixie-imager"]
    if way == "vendor-data":
        return prepared_card(pyz, folder, files, "--vendor-data", *all_options(folder))
    if way == "hook":
        return with_kit(prepared_card(pyz, folder, files, "--expect", "1"))
    card = folder / "bootfs"
    card.mkdir()
    token = new_token(b"only a lab's token")
    by_hand = {
        "cmdline.txt": f"{files['cmdline.txt'].rstrip()} {TOKENS}\n",
        "kubepi.yaml": f"cluster:\n  token: {token}\n  expect: 1\n",
    }
    for name, text in (files | by_hand).items():
        (card / name).write_text(text)
    shutil.copy(pyz, card / "kubepi.pyz")
    return with_kit(card)


def all_options(folder: Path) -> list[str]:
    """What an imager would ask, and a kit on the card."""
    (folder / "password").write_text("swordfish in the attic\n")
    (folder / "key.pub").write_text(f"{KEY}\n")
    return [
        "--expect", "1", "--user", "kubi", "--ssh-key", str(folder / "key.pub"), "--timezone",
        "Europe/Oslo", "--wifi", "Attic", "--wifi-password-file", str(folder / "password"),
        "--country", "NO", "--kit", str(amd64_kit()),
    ]  # fmt: skip


def assert_as_asked(pis: Pis) -> None:
    """What `all_options` say is there, and the kit is on the disk instead of the card."""
    said = pis.ask(
        NODE, "sh", "-c",
        "sudo -u kubi sudo -n id -u; readlink /etc/localtime; ls -d /boot/firmware/kubepi-kit;"
        "stat -c '%U %a' /home/kubi/.ssh/authorized_keys /var/lib/kubepi/kit/bundle.yaml "
        "/etc/NetworkManager/system-connections/kubepi-wifi.nmconnection 2>&1; true",
    )  # fmt: skip
    assert said.splitlines() == [
        "0", "/usr/share/zoneinfo/Europe/Oslo", "kubi 600", "root 644", "root 600",
    ]  # fmt: skip
    assert pis.ask(NODE, "cat", "/home/kubi/.ssh/authorized_keys") == f"{KEY}\n"
    assert not pis.run(NODE, "grep", "-r", "psk", "/boot/firmware/kubepi.yaml").stdout


@contextmanager
def switched_on(card: Path) -> Iterator[Pis]:
    pis = Pis()
    try:
        pis.up(1, "--flavour", "pios", "--card", str(card))
        yield pis
    finally:
        pis.down()


def is_whole(pis: Pis) -> bool | None:
    """Ready, and as wanted: the agent and the node's own kubelet of this boot have answered."""
    if pis.nodes_ready(NODE) != {NAME}:
        return None
    return True if pis.run(NODE, "kubepi", "status").returncode == 0 else None


def boot_id(pis: Pis) -> str:
    return pis.run(NODE, "cat", "/proc/sys/kernel/random/boot_id").stdout


@pytest.mark.parametrize("way", WAYS)
def test_nobody_presses_a_key(way: str, pyz: Path, tmp_path: Path) -> None:
    card = card_of(way, pyz, tmp_path)
    start = time.monotonic()
    with switched_on(card) as pis:
        wait_for("a Ready node", lambda: is_whole(pis), 900)
        print(f"\n{way}: Ready {time.monotonic() - start:.0f} s after it was switched on")
        if way == "vendor-data":
            assert_as_asked(pis)
        for _ in range(3):
            state = pis.run(NODE, "systemctl", "is-active", "userconfig", "multi-user.target")
            assert state.stdout.split() == ["activating", "inactive"]
            assert pis.ask(NODE, "hostname").strip() == NAME
            hosts = pis.ask(NODE, "cat", "/etc/hosts").splitlines()
            assert f"127.0.1.1\t{NAME}" in hosts
            assert [line for line in hosts if line.endswith(" home.kubepi.internal")]
            before = boot_id(pis)
            pis.lab("reboot", NODE)
            assert boot_id(pis) != before
            wait_for("Ready again", lambda: is_whole(pis), 300)
        assert not pis.run(NODE, "grep", "token:", "/boot/firmware/kubepi.yaml").stdout
        assert "systemd.run" not in pis.ask(NODE, "cat", "/boot/firmware/cmdline.txt")
        if way != "by hand":  # there it is the journal's
            assert " failed (" in pis.ask(NODE, "tail", "-n1", "/boot/firmware/kubepi.log")
        log = pis.ask(NODE, "cat", "/var/log/kubepi.log")
        assert log.count("agent: starts as") >= 4, "the journal of a Pi is gone after a power cut"
