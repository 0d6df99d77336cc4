"""Whole files that are kubepi's, marked blocks in files that are not, and their opposites.

May touch: the file named, its folder, and the kept copy below /var/lib/kubepi/kept.
Tests: tests/steps/test_files.py and tests/laws.
"""

import base64
from dataclasses import dataclass, field

from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding


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


def with_block(text: str, label: str, lines: tuple[str, ...]) -> str:
    """`text` with the marked block set to `lines`, at its place or at the end."""
    block = [begin_mark(label), *lines, end_mark(label)]
    rest = text.splitlines()
    if begin_mark(label) not in rest:
        return "\n".join([*rest, *block]) + "\n"
    start = rest.index(begin_mark(label))
    # a block without its end mark goes on to the end of nothing but itself: one line
    end = rest.index(end_mark(label)) if end_mark(label) in rest[start:] else start
    return "\n".join([*rest[:start], *block, *rest[end + 1 :]]) + "\n"


def without_block(text: str, label: str) -> str:
    rest = text.splitlines(keepends=True)
    marks = [line.rstrip("\n") for line in rest]
    if begin_mark(label) not in marks:
        return text
    start = marks.index(begin_mark(label))
    end = marks.index(end_mark(label)) if end_mark(label) in marks[start:] else start
    return "".join(rest[:start] + rest[end + 1 :])


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
        text = host.read(self.path)
        if text is not None and with_block(text, self.label, self.lines) == text:
            return None
        missing = text is None or begin_mark(self.label) not in text
        return Finding("is missing" if missing else "has other lines")

    def apply(self, host: Host) -> None:
        text = host.read(self.path) or ""
        mode = host.mode(self.path)
        content = with_block(text, self.label, self.lines)
        host.write(self.path, content, 0o644 if mode is None else mode)


@dataclass(frozen=True)
class BlockAbsent:
    """The marked block taken out again; the rest of the file stays byte for byte."""

    path: str
    label: str

    @property
    def name(self) -> str:
        return f"no block {self.label} in {self.path}"

    def check(self, host: Host) -> Finding | None:
        text = host.read(self.path)
        if text is None or begin_mark(self.label) not in text:
            return None
        return Finding("is there")

    def apply(self, host: Host) -> None:
        text = host.read(self.path)
        if text is not None:
            mode = host.mode(self.path)
            host.write(
                self.path, without_block(text, self.label), 0o644 if mode is None else mode
            )
