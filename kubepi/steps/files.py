"""Whole files that are kubepi's, marked blocks in files that are not, and their opposites.

May touch: the file named, its folder, and the kept copy below /var/lib/kubepi/kept.
Tests: tests/steps/test_files.py and tests/laws.
"""

import base64
import re
from dataclasses import dataclass, field

from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.lock import in_turn
from kubepi.machine.step import Finding
from kubepi.steps.text import read_text, write_text


@dataclass(frozen=True)
class File:
    """A file with exactly this content; `restarts` names the units that read it at start."""

    path: str
    content: str = field(repr=False)
    mode: int = 0o644
    restarts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"file {self.path}"

    def check(self, host: Host) -> Finding | None:
        found = host.read(self.path)
        if found is None:
            return Finding("is missing")
        if found != self.content:
            return Finding("has other content")
        mode = host.mode(self.path)
        if mode != self.mode:
            return Finding(f"has mode {mode:o}, wanted {self.mode:o}" if mode else "has no mode")
        return None

    def apply(self, host: Host) -> None:
        state.keep_oldest(host, self.path)
        for unit in self.restarts:
            state.want_restart(host, unit)
        host.write(self.path, self.content, self.mode)


@dataclass(frozen=True)
class FileRestored:
    """A file as it was before kubepi first touched it, or gone if there was none."""

    path: str

    @property
    def name(self) -> str:
        return f"file {self.path} as before"

    def check(self, host: Host) -> Finding | None:
        copy = state.kept_copy(host, self.path)
        if copy is None:
            return None
        if copy["content"] is None:
            return Finding("is kubepi's")
        same = host.read_bytes(self.path) == base64.b64decode(copy["content"])
        return Finding("is kubepi's" if not same else "has a kept copy still")

    def apply(self, host: Host) -> None:
        copy = state.kept_copy(host, self.path)
        if copy is None:
            return
        if copy["content"] is None:
            host.remove(self.path)
            for folder in copy["made"]:
                host.remove_empty(folder)
        else:
            host.write(self.path, base64.b64decode(copy["content"]), copy["mode"])
        host.sync()
        host.remove(state.kept_file(self.path))


def begin_mark(label: str) -> str:
    return f"# >>> kubepi {label} (kept by kubepi; edits here are lost)"


def end_mark(label: str) -> str:
    return f"# <<< kubepi {label}"


def _split(text: str, label: str) -> tuple[str, str, bool]:
    """What is before and behind the block, and whether there is one."""
    # an editor may have made CRLF of all line ends, or cut the last one off
    begin, end = (re.escape(mark(label)) + r"(\r?\n|$)" for mark in (begin_mark, end_mark))
    found = re.search(begin, text)
    if found is None:
        return text, "", False
    ended = re.search(end, text[found.end() :])
    # without its end mark only the begin mark is surely ours
    behind = found.end() + (ended.end() if ended is not None else 0)
    return text[: found.start()], text[behind:], True


def with_block(text: str, label: str, lines: tuple[str, ...]) -> str:
    """`text` with the marked block set to `lines`, at its place or at the end."""
    before, behind, found = _split(text, label)
    if not found and before and not before.endswith("\n"):
        before += "\n"
    block = "".join(f"{line}\n" for line in (begin_mark(label), *lines, end_mark(label)))
    return before + block + behind


def without_block(text: str, label: str) -> str:
    before, behind, _ = _split(text, label)
    return before + behind


@dataclass(frozen=True)
class MarkedBlock:
    """Our lines between two marks in a file that belongs to somebody else."""

    path: str
    label: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"block {self.label} in {self.path}"

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, self.path)
        if text is not None and with_block(text, self.label, self.lines) == text:
            return None
        missing = text is None or begin_mark(self.label) not in text
        return Finding("is missing" if missing else "has other lines")

    def apply(self, host: Host) -> None:
        with in_turn(host, "names"):
            text = read_text(host, self.path) or ""
            write_text(host, self.path, with_block(text, self.label, self.lines))


@dataclass(frozen=True)
class BlockAbsent:
    """The marked block taken out again; the rest of the file stays byte for byte."""

    path: str
    label: str

    @property
    def name(self) -> str:
        return f"no block {self.label} in {self.path}"

    def check(self, host: Host) -> Finding | None:
        text = read_text(host, self.path)
        if text is None or without_block(text, self.label) == text:
            return None
        return Finding("is there")

    def apply(self, host: Host) -> None:
        with in_turn(host, "names"):
            text = read_text(host, self.path)
            if text is not None:
                write_text(host, self.path, without_block(text, self.label))
