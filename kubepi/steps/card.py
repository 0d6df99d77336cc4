"""A card's boot partition, seen from the machine that writes it: kubepi's files and its hook.

What is ours is written down on the card first, so that --undo takes exactly that away again.
May touch: kubepi's files on the card, own tokens in cmdline.txt, one line of Imager's firstrun.sh.
Tests: tests/steps/test_card.py.
"""

from dataclasses import dataclass, field

from kubepi.decide.card import (
    CMDLINE,
    COUNT,
    FIRSTRUN,
    FIRSTRUN_LINE,
    prepared_line,
    with_firstrun_line,
)
from kubepi.decide.cmdline import missing_tokens, without_tokens
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding
from kubepi.steps.text import read_text, write_text

RECORD = "/kubepi-card.json"


def recorded(host: Host, what: str) -> list[str]:
    """Tokens, files or folders that kubepi put on this card."""
    found: list[str] = (state.read_json(host, RECORD) or {}).get(what, [])
    return found


def record(host: Host, what: str, names: list[str]) -> None:
    data = state.read_json(host, RECORD) or {}
    state.write_json(host, RECORD, {**data, what: names}, file_mode(host))


def file_mode(host: Host) -> int:
    """FAT has one mode for all files, and refuses any other."""
    mode = host.mode(f"/{CMDLINE}")
    return 0o644 if mode is None else mode


@dataclass(frozen=True)
class CardFile:
    """One of kubepi's own files; it may hold the cluster's token, so it is not shown."""

    file: str
    content: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return self.file

    def check(self, host: Host) -> Finding | None:
        found = host.read_bytes(f"/{self.file}")
        if found is None:
            return Finding("is missing")
        return None if found == self.content else Finding("has other content")

    def apply(self, host: Host) -> None:
        files = recorded(host, "files")
        if self.file not in files:
            record(host, "files", [*files, self.file])
        host.write(f"/{self.file}", self.content, file_mode(host))


@dataclass(frozen=True)
class CardLine:
    """Tokens in cmdline.txt, those of the hook last; with them the next boot runs it."""

    tokens: tuple[str, ...]

    @property
    def name(self) -> str:
        return CMDLINE

    def check(self, host: Host) -> Finding | None:
        missing = missing_tokens(read_text(host, f"/{CMDLINE}") or "", self.tokens)
        if missing:
            return Finding(f"lacks {' '.join(missing)}")
        return Finding("has failed before") if host.exists(f"/{COUNT}") else None

    def apply(self, host: Host) -> None:
        text = read_text(host, f"/{CMDLINE}") or ""
        # of a first boot that failed: the next one may fail as often again
        host.remove(f"/{COUNT}")
        own = [*recorded(host, "tokens"), *missing_tokens(text, self.tokens)]
        # first what is ours, then the line: whatever interrupts, nothing of the user's is lost
        record(host, "tokens", list(dict.fromkeys(own)))
        write_text(host, f"/{CMDLINE}", prepared_line(text, self.tokens))


@dataclass(frozen=True)
class FirstrunLine:
    """Imager's firstrun.sh starts the hook: there is only one systemd.run in a command line."""

    @property
    def name(self) -> str:
        return FIRSTRUN

    def check(self, host: Host) -> Finding | None:
        there = FIRSTRUN_LINE in (read_text(host, f"/{FIRSTRUN}") or "")
        return None if there else Finding("does not start kubepi")

    def apply(self, host: Host) -> None:
        text = read_text(host, f"/{FIRSTRUN}") or ""
        write_text(host, f"/{FIRSTRUN}", with_firstrun_line(text))


@dataclass(frozen=True)
class CardAsBefore:
    """Own tokens, own line and own files taken away; the record last."""

    @property
    def name(self) -> str:
        return "card without kubepi"

    def check(self, host: Host) -> Finding | None:
        return Finding("was prepared by kubepi") if host.exists(RECORD) else None

    def apply(self, host: Host) -> None:
        line, own = read_text(host, f"/{CMDLINE}"), tuple(recorded(host, "tokens"))
        if line is not None and without_tokens(line, own) != line:
            write_text(host, f"/{CMDLINE}", without_tokens(line, own))
        script = read_text(host, f"/{FIRSTRUN}")
        if script is not None and FIRSTRUN_LINE in script:
            write_text(host, f"/{FIRSTRUN}", script.replace(FIRSTRUN_LINE, ""))
        for file in recorded(host, "files"):
            host.remove(f"/{file}")
        for folder in recorded(host, "folders"):
            host.remove_tree(f"/{folder}")
        host.remove(RECORD)
