"""Each folder here is a board: a small tree of its files and the facts expected of them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost

BOARDS = sorted(path.parent for path in Path(__file__).parent.glob("*/facts.json"))


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """What the expectation names and the facts do not have; what it leaves out is not compared."""
    if isinstance(expected, dict):
        return [
            line
            for key, value in expected.items()
            for line in differences(value, found[key], f"{where}.{key}")
        ]
    if isinstance(found, tuple):
        found = list(found)
    return [] if expected == found else [f"{where}: {found!r}, expected {expected!r}"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.name)
def test_facts_of_a_board(board: Path) -> None:
    expected = json.loads((board / "facts.json").read_text())
    facts = look(ReadOnlyHost(board / "root"))
    assert differences(expected, asdict(facts)) == []


def test_boards_of_the_issue_are_there() -> None:
    names = {board.name for board in BOARDS}
    for board in ("pi3bplus", "pi4b", "pi5", "cm4", "zero2w"):
        assert {f"{board}-bookworm", f"{board}-trixie"} <= names
    assert {"pi4b-32bit-userland", "pi4b-ubuntu-24.04", "pc-debian"} <= names
