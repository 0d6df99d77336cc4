"""kubepi/terminal.py: plain lines for logs, lines in place on a terminal (a pty)."""

import io
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import ioctl
from typing import TextIO

import pytest

from kubepi.machine.runner import Counts
from kubepi.terminal import Terminal

ESCAPE = "\033"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


# --- without a terminal -------------------------------------------------------------------


def test_one_line_per_step(stream: io.StringIO) -> None:
    terminal = Terminal(stream)
    for status, finding in (
        ("ok", ""), ("changed", "is missing"), ("would change", "is 0, wanted 1"),
        ("reboot", "for swap"), ("failed", ""),
    ):  # fmt: skip
        terminal.begin("file /etc/x")
        terminal.end(status, "file /etc/x", finding)
    assert stream.getvalue() == (
        "ok           file /etc/x\n"
        "changed      file /etc/x: is missing\n"
        "would change file /etc/x: is 0, wanted 1\n"
        "reboot       file /etc/x: for swap\n"
        "failed       file /etc/x\n"
    )


def test_what_was_right_already_can_be_left_out(stream: io.StringIO) -> None:
    terminal = Terminal(stream, quiet_ok=True)
    for status in ("ok", "changed"):
        terminal.begin("x")
        terminal.end(status, "x", "")
    assert stream.getvalue() == "changed      x\n"


def test_waiting_is_said_once_per_thing_waited_for(stream: io.StringIO) -> None:
    terminal = Terminal(stream)
    terminal.begin("x")
    for what in ("the API: no answer", "the API: refused", "the node: not Ready", "pulling 1"):
        terminal.waiting(what)
    terminal.begin("y")
    terminal.waiting("pulling 1")
    assert stream.getvalue().splitlines() == [
        "...          the API: no answer", "...          the node: not Ready",
        "...          pulling 1", "...          pulling 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("changed", "23 steps: 20 ok, 3 changed, 0 failed (41 s)\n"),
        ("would change", "23 steps: 20 ok, 3 would change, 0 failed (41 s)\n"),
    ],
)
def test_the_last_line(stream: io.StringIO, verb: str, line: str) -> None:
    Terminal(stream).summary(Counts(20, 3, 0), 41.2, verb)
    assert stream.getvalue() == line


def test_a_note(stream: io.StringIO) -> None:
    Terminal(stream).note("mind the gap")
    assert stream.getvalue() == "note         mind the gap\n"


# --- on a terminal ------------------------------------------------------------------------


@dataclass
class Screen:
    """Both ends of a pty."""

    stream: TextIO
    reader: int

    def resize(self, columns: int) -> None:
        ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def shown(self) -> str:
        """What came so far; the kernel hands it over a moment after it was written."""
        self.stream.flush()
        said = b""
        while select.select([self.reader], [], [], 0.1)[0]:
            said += os.read(self.reader, 65536)
        return said.decode()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream:
        found = Screen(stream, reader)
        found.resize(60)
        yield found
    os.close(reader)


def until_it_ticked(screen: Screen) -> str:
    shown, end = "", time.monotonic() + 5
    while "…" not in shown and time.monotonic() < end:
        time.sleep(0.05)
        shown += screen.shown()
    return shown


def test_a_step_in_colour(screen: Screen) -> None:
    terminal = Terminal(screen.stream)
    terminal.begin("file /etc/x")
    terminal.end("changed", "file /etc/x", "is missing")
    last = screen.shown().replace("\r\n", "\n").rpartition("\r")[2]
    assert last == f"{ESCAPE}[K{ESCAPE}[32mchanged     {ESCAPE}[0m file /etc/x: is missing\n"


def test_no_color_is_honoured(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(screen.stream)
    terminal.begin("x")
    terminal.end("failed", "x", "")
    assert screen.shown() == f"\r{ESCAPE}[Kfailed       x\r\n"


LONG = "pulling image 3 of 7 with a name that is longer than the terminal is wide"


def test_a_step_that_takes_time_ticks_in_place_and_is_wiped(screen: Screen) -> None:
    terminal = Terminal(screen.stream)
    terminal.begin("images")
    terminal.waiting(LONG)
    ticks = until_it_ticked(screen)
    terminal.end("ok", "images", "")
    shown = ticks + screen.shown()
    rows = [row.removeprefix(f"{ESCAPE}[K") for row in shown.split("\r") if "pulling" in row]
    assert rows
    assert {len(row) for row in rows} == {59}, "it would wrap"
    assert shown.count("\n") == 1
    assert shown.endswith(" images\r\n")
    # and nothing ticks afterwards
    time.sleep(0.5)
    assert screen.shown() == ""


def test_a_long_text_leaves_room_for_the_time(screen: Screen) -> None:
    terminal = Terminal(screen.stream)
    terminal.begin(LONG)
    shown = until_it_ticked(screen)
    terminal.end("ok", "images", "")
    assert re.search(r"\(\d+ s\)", shown)


def test_the_time_is_shown_while_it_lasts(screen: Screen) -> None:
    terminal = Terminal(screen.stream)
    terminal.begin("images")
    shown = until_it_ticked(screen)
    terminal.end("ok", "images", "")
    assert re.search(r"… {11} images \(\d+ s\)", shown)


def test_a_note_does_not_stay_in_the_line_that_ticks(screen: Screen) -> None:
    Terminal(screen.stream).note("mind the gap")
    assert screen.shown() == f"\r{ESCAPE}[Knote         mind the gap\r\n"


def test_a_terminal_without_a_width(screen: Screen) -> None:
    screen.resize(0)
    terminal = Terminal(screen.stream)
    terminal.begin("images")
    time.sleep(0.5)
    terminal.end("ok", "images", "")
    assert "images (0 s)" in screen.shown()
