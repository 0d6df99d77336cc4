"""What is on a card, told from its boot partition alone, and what is written to it; pure.

Sources: Raspberry Pi's pi-gen (stage1/00-boot-files, stage2/04-cloud-init, export-image),
rpi-imager, and systemd-run-generator(8). Tests: tests/unit/test_card.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kubepi.decide.cmdline import MEMORY_TOKEN, country_token, with_tokens, without_tokens
from kubepi.errors import UsageError

CMDLINE, CONFIG = "cmdline.txt", "config.txt"
# All that is looked at; a file that is not there is not in the mapping.
LOOKED_AT = (
    CMDLINE, CONFIG, "issue.txt", "custom.toml", "rpi-preseed.toml", "autoboot.txt",
    "current/cmdline.txt", "user-data", "meta-data", "vendor-data",
)  # fmt: skip
FIRST_BOOKWORM = "2023-10-10"
FIRSTRUN = "firstrun.sh"
IMAGER_RUN = (f"systemd.run=/boot/{FIRSTRUN}", f"systemd.run=/boot/firmware/{FIRSTRUN}")
HOOK = "kubepi-hook.sh"
# Without the failure action a hook that fails is a Pi that powers off at every boot.
HOOK_TOKENS = (
    f"systemd.run=/boot/firmware/{HOOK}", "systemd.run_success_action=reboot",
    "systemd.run_failure_action=reboot", "systemd.unit=kernel-command-line.target",
)  # fmt: skip
# what a user types who drops the two files on the card by hand, as the README tells
DROPPED = "systemd.run=/boot/firmware/kubepi.pyz"
Start = Literal["line", "firstrun", "vendor-data"]
VENDOR_DATA: Literal["vendor-data"] = "vendor-data"
COUNT = "kubepi-hook.count"
# cloud-init runs it at every boot, whatever user-data says and whoever is logged in; where the
# kernel's line has an instance id, from its own copy, also when the file is gone. It must not
# begin a module that the reboot would cut: it would never run that one again (25.1).
BOOTHOOK = f"""\
#cloud-boothook
#!/bin/sh
# kubepi: starts its hook at the first boot; written by `kubepi sdcard`
test -e /boot/firmware/{HOOK} || exit 0
/bin/sh /boot/firmware/{HOOK}
test -e /boot/firmware/{VENDOR_DATA} || {{ systemctl --no-block reboot; sleep 60; }}
"""
# one line in Imager's own script, before it removes itself
FIRSTRUN_LINE = f"/bin/sh /boot/firmware/{HOOK} || true  # kubepi\n"


@dataclass(frozen=True)
class Card:
    """What is known of a card, and what starts kubepi's hook on it.

    `system` is bookworm or trixie before the first boot of a Raspberry Pi OS, either after it, or
    ubuntu. `start`: the line in cmdline.txt, Raspberry Pi Imager's own first-boot script where
    that is there already, or cloud-init by its vendor data.
    """

    system: str
    has_booted: bool
    start: Start = "line"

    @property
    def told(self) -> str:
        names = {"ubuntu": "Ubuntu Server", "either": "Raspberry Pi OS"}
        name = names.get(self.system, f"Raspberry Pi OS {self.system}")
        return f"{name}, {'booted before' if self.has_booted else 'never booted'}"


def recognise(files: Mapping[str, str], by_vendor_data: bool = False) -> Card:
    """The card with this boot partition; `files`: name -> text, of LOOKED_AT.

    `by_vendor_data`: that is to start the hook. It does, too, where the line cannot.

    Raises:
        UsageError: kubepi does not know it, or it is known not to work; by name.
    """
    if "autoboot.txt" in files or "current/cmdline.txt" in files:
        raise UsageError(
            "this card has two systems to boot from (Ubuntu from 25.10 on, or tryboot)",
            "use Raspberry Pi OS, or Ubuntu Server 24.04",
        )
    if CMDLINE not in files or CONFIG not in files:
        raise UsageError(
            "this is no boot partition of a Raspberry Pi: cmdline.txt and config.txt are not there",
            "name the folder where the card's first partition is mounted, often called bootfs",
        )
    if "rpi-preseed.toml" in files:
        raise UsageError(
            "this card was customised by rpi-preseed.toml, which kubepi does not know yet",
            "flash it anew without customisation: sdcard sets name, user and Wi-Fi",
        )
    line = files[CMDLINE].partition("\n")[0].split()
    own = (*IMAGER_RUN, HOOK_TOKENS[0], DROPPED)
    foreign = [token for token in line if token.startswith("systemd.run=") and token not in own]
    obstacle = _no_vendor_data(files, line)
    if foreign and obstacle:
        raise UsageError(
            f"the card's first boot runs something else already: {foreign[0]}; and {obstacle}",
            "boot it once without kubepi, then prepare it",
        )
    if by_vendor_data and obstacle:
        raise UsageError(f"cloud-init cannot start kubepi: {obstacle}", "leave --vendor-data out")
    start: Start = "firstrun" if any(token in line for token in IMAGER_RUN) else "line"
    if foreign or by_vendor_data:
        start = VENDOR_DATA
    if "root=LABEL=writable" in line:
        return Card("ubuntu", False, start)
    if not re.search(r"^\s*arm_64bit=1\s*$", files[CONFIG], re.MULTILINE):
        raise UsageError(
            "this card has a 32-bit system; Kubernetes has no 32-bit ARM since 1.27",
            "flash Raspberry Pi OS Lite (64-bit)",
        )
    system, has_booted = _raspberry_pi_os(line, files.get("issue.txt", ""))
    if system == "trixie" and "custom.toml" in files:
        raise UsageError(
            "custom.toml is on this card, which Raspberry Pi OS trixie does not read",
            "remove it; sdcard sets name, user and Wi-Fi",
        )
    return Card(system, has_booted, start)


def card_tokens(card: Card, country: str) -> tuple[str, ...]:
    """What goes into cmdline.txt; where Imager has a hook already, kubepi's goes into that one."""
    tokens = [MEMORY_TOKEN]
    if country:
        tokens.append(country_token(country))
    return (*tokens, *(HOOK_TOKENS if card.start == "line" else ()))


def prepared_line(text: str, tokens: tuple[str, ...]) -> str:
    """cmdline.txt with the tokens; those of an own hook at the end, also if it was there before."""
    has_hook = HOOK_TOKENS[0] in text.partition("\n")[0].split()
    return with_tokens(without_tokens(text, HOOK_TOKENS) if has_hook else text, tokens)


def with_firstrun_line(script: str) -> str:
    """Imager's firstrun.sh, which starts kubepi's hook before it removes itself."""
    if FIRSTRUN_LINE in script:
        return script
    found = re.search(rf"^rm -f \S*{re.escape(FIRSTRUN)}", script, re.MULTILINE)
    at = len(script) if found is None else found.start()
    newline = "" if script[:at].endswith("\n") or not script[:at] else "\n"
    return f"{script[:at]}{newline}{FIRSTRUN_LINE}{script[at:]}"


def _no_vendor_data(files: Mapping[str, str], line: list[str]) -> str:
    """Why cloud-init would not run what is in the card's vendor-data; "" if it would."""
    if not {"user-data", "meta-data"} <= set(files):
        return "it has no user-data and meta-data of cloud-init"
    if files.get(VENDOR_DATA, BOOTHOOK) != BOOTHOOK:
        return "it has vendor-data of somebody else"
    if re.search(r"^vendor_data\s*:", files["user-data"], re.MULTILINE):
        return "its user-data decides about vendor data itself"
    booted = "resize" not in line and "root=LABEL=writable" not in line
    if booted and any(token.startswith("ds=nocloud;i=") for token in line):
        return "it has booted, and cloud-init reads its files no more"
    return ""


def _raspberry_pi_os(line: list[str], issue: str) -> tuple[str, bool]:
    """Before the first boot by what is to be run in it; later the image's date has to do."""
    if "resize" in line:
        return "trixie", False
    if "init=/usr/lib/raspberrypi-sys-mods/firstboot" in line:
        return "bookworm", False
    found = re.search(r"Raspberry Pi reference (\d{4}-\d\d-\d\d)", issue)
    if found is None or found[1] < FIRST_BOOKWORM:
        raise UsageError(
            "this card has a system that kubepi does not know",
            "use Raspberry Pi OS Lite (64-bit), bookworm or trixie, or Ubuntu Server 24.04",
        )
    # images of both were built at the same time for months
    return "either", True


def hook_script(keep_token: bool) -> str:
    """What the first boot runs: no network is there, no D-Bus, and nobody to press a key.

    It always ends well: after a third failure it takes itself out of the command line.
    """
    words = "hook --keep-token" if keep_token else "hook"
    tokens = "|".join(re.escape(token) for token in HOOK_TOKENS)
    return f"""\
#!/bin/sh
# kubepi: puts itself on this Pi at the first boot; written by `kubepi sdcard`
boot=/boot/firmware
count=$(cat "$boot/{COUNT}" 2>/dev/null || echo 0)
count=$((count + 1))
echo "$count" > "$boot/{COUNT}"
sync
if /usr/bin/python3 -I "$boot/kubepi.pyz" {words} >> "$boot/kubepi.log" 2>&1; then
    exit 0
fi
if [ "$count" -ge 3 ]; then
    echo "the third start of the hook failed: it is given up" >> "$boot/kubepi.log"
    # held until the new one is on the card: FAT frees at once what nobody has open
    exec 3< "$boot/{CMDLINE}"
    sed -E -e ':next' -e 's#(^| )({tokens})( |$)#\\1#' -e 'tnext' -e 's# +$##' \\
        "$boot/{CMDLINE}" > "$boot/{CMDLINE}.new" &&
        sync && mv "$boot/{CMDLINE}.new" "$boot/{CMDLINE}" && sync
    exec 3<&-
    grep -q kubepi "$boot/{VENDOR_DATA}" 2>/dev/null && rm "$boot/{VENDOR_DATA}"
    rm -f "$boot/{COUNT}" "$boot/{HOOK}"
    sync
fi
exit 0
"""
