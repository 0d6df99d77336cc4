"""Which card this is, and what its kernel command line and Imager's script become."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.card import (
    BOOTHOOK,
    FIRSTRUN_LINE,
    HOOK_TOKENS,
    Card,
    card_tokens,
    hook_script,
    prepared_line,
    recognise,
    with_firstrun_line,
)
from kubepi.decide.cmdline import MEMORY_TOKEN, without_tokens
from kubepi.errors import UsageError
from tests.cards import BOOKWORM, CARDS, FIRSTRUN, IMAGED, TRIXIE, issue

KNOWN = {
    "bookworm": Card("bookworm", False),
    "bookworm-imager": Card("bookworm", False, "firstrun"),
    "bookworm-booted": Card("either", True),
    "trixie-2025": Card("trixie", False),
    "trixie": Card("trixie", False),
    "trixie-imager": Card("trixie", False),
    "trixie-booted": Card("either", True),
    "ubuntu-24.04": Card("ubuntu", False),
}


@pytest.mark.parametrize("name", CARDS)
def test_every_known_card_is_recognised(name: str) -> None:
    assert recognise(CARDS[name]) == KNOWN[name]


IMAGED_BOOTED = IMAGED.replace(" resize", "").format(disk="9c1d22f1")
STOCK, BARE = CARDS["trixie"], CARDS["trixie-2025"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no boot partition"),
        ({"cmdline.txt": TRIXIE}, "no boot partition"),
        ({**STOCK, "autoboot.txt": ""}, "two systems"),
        ({**STOCK, "current/cmdline.txt": ""}, "two systems"),
        ({**STOCK, "config.txt": "arm_boost=1\n"}, "32-bit"),
        ({**STOCK, "config.txt": "#arm_64bit=1\n"}, "32-bit"),
        ({**STOCK, "rpi-preseed.toml": ""}, "rpi-preseed.toml"),
        ({**STOCK, "custom.toml": ""}, "custom.toml"),
        ({**STOCK, "cmdline.txt": "root=/dev/sda2 rootwait\n", "issue.txt": ""}, "does not know"),
        ({**STOCK, "cmdline.txt": "rootwait\n", "issue.txt": issue("2022-09-22")}, "does not know"),
        (
            {**BARE, "cmdline.txt": "resize systemd.run=/boot/mine.sh\n"},
            "systemd.run=/boot/mine.sh; and it has no user-data",
        ),
    ],
)
def test_what_cannot_be_prepared_is_refused_by_name(files: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        recognise(files)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (BARE, "no user-data and meta-data"),
        ({**STOCK, "vendor-data": "#cloud-config\n"}, "of somebody else"),
        ({**STOCK, "user-data": "vendor_data: {enabled: false}\n"}, "decides about vendor data"),
        ({**CARDS["trixie-imager"], "cmdline.txt": IMAGED_BOOTED}, "reads its files no more"),
    ],
)
def test_where_cloud_init_cannot_start_it(files: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        recognise(files, by_vendor_data=True)


@pytest.mark.parametrize("name", ["trixie", "trixie-imager", "ubuntu-24.04"])
def test_cloud_init_may_start_it(name: str) -> None:
    card = recognise(CARDS[name], by_vendor_data=True)
    assert card.start == "vendor-data"
    line = prepared_line(CARDS[name]["cmdline.txt"], card_tokens(card, ""))
    assert "systemd.run" not in line and MEMORY_TOKEN in line.split()
    taken = {**CARDS[name], "cmdline.txt": f"{line.rstrip()} systemd.run=/boot/mine.sh\n"}
    assert recognise(taken).start == "vendor-data", "the line is taken"
    assert recognise({**taken, "vendor-data": BOOTHOOK}).start == "vendor-data", "a second run"


@pytest.mark.parametrize("name", CARDS)
def test_the_line_stays_one_line_and_its_hook_comes_last(name: str) -> None:
    before, found = CARDS[name]["cmdline.txt"], recognise(CARDS[name])
    tokens = card_tokens(found, "DE")
    after = prepared_line(before, tokens)
    assert after.count("\n") == 1
    assert prepared_line(after, tokens) == after
    assert without_tokens(after, tokens) == before
    words = after.split()
    assert MEMORY_TOKEN in words and "cfg80211.ieee80211_regdom=DE" in words
    if found.start == "firstrun":
        # Imager's own clean-up deletes everything behind its systemd.run
        assert words.index(MEMORY_TOKEN) < words.index("systemd.run=/boot/firstrun.sh")
        assert HOOK_TOKENS[0] not in words
    else:
        assert tuple(words[-4:]) == HOOK_TOKENS


lines = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=200)


@given(lines, st.text(max_size=50))
def test_not_a_byte_of_any_line_is_lost(line: str, rest: str) -> None:
    text = f"{line}\n{rest}"
    tokens = card_tokens(KNOWN["trixie"], "")
    own = tuple(token for token in tokens if token not in line.split())
    prepared = prepared_line(text, tokens)
    if set(HOOK_TOKENS) & set(line.split()):
        return  # an own hook from before is put in order
    assert without_tokens(prepared, own).rstrip(" ") == text.rstrip(" ") or (
        without_tokens(prepared, own).split() == text.split()
    )


def test_imagers_script_starts_the_hook_before_it_removes_itself() -> None:
    script = with_firstrun_line(FIRSTRUN)
    assert script.index(FIRSTRUN_LINE) < script.index("rm -f /boot/firstrun.sh")
    assert script.replace(FIRSTRUN_LINE, "") == FIRSTRUN
    assert with_firstrun_line(script) == script


@given(st.text(max_size=300))
def test_any_script_keeps_all_it_had(script: str) -> None:
    after = with_firstrun_line(script)
    assert FIRSTRUN_LINE in after
    if FIRSTRUN_LINE not in script:
        assert after.replace(FIRSTRUN_LINE, "").rstrip("\n") == script.rstrip("\n")


@pytest.mark.parametrize("keep", [False, True])
def test_the_hook_is_a_script_that_a_shell_can_read(keep: bool) -> None:
    done = subprocess.run(["sh", "-n"], input=hook_script(keep), text=True, check=False)
    assert done.returncode == 0
    assert ("--keep-token" in hook_script(keep)) == keep


@pytest.mark.parametrize("name", ["bookworm", "trixie", "ubuntu-24.04"])
def test_the_hook_gives_up_after_its_third_failure(name: str, tmp_path: Path) -> None:
    before = CARDS[name]["cmdline.txt"]
    line = prepared_line(before, card_tokens(KNOWN[name], ""))
    line = line.replace("/boot/firmware", str(tmp_path))
    (tmp_path / "cmdline.txt").write_text(line)
    script = hook_script(False).replace("/boot/firmware", str(tmp_path))
    script = script.replace("/usr/bin/python3", "false")
    for start in (1, 2, 3):
        assert subprocess.run(["sh"], input=script, text=True, check=False).returncode == 0
        now = (tmp_path / "cmdline.txt").read_text()
        if start < 3:
            assert now == line
    assert now == f"{before.rstrip()} {MEMORY_TOKEN}\n"
    assert "given up" in (tmp_path / "kubepi.log").read_text()


def test_the_line_of_bookworm_as_it_is_written() -> None:
    line = prepared_line(BOOKWORM.format(disk="5e3da3da"), card_tokens(KNOWN["bookworm"], ""))
    assert line == (
        "console=serial0,115200 console=tty1 root=PARTUUID=5e3da3da-02 rootfstype=ext4 "
        "fsck.repair=yes rootwait quiet init=/usr/lib/raspberrypi-sys-mods/firstboot "
        "cgroup_enable=memory systemd.run=/boot/firmware/kubepi-hook.sh "
        "systemd.run_success_action=reboot systemd.run_failure_action=reboot "
        "systemd.unit=kernel-command-line.target\n"
    )
