"""Linters are tests: ruff, mypy --strict, the import rule, the length of files, house rules."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
FILES = sorted(
    path
    for folder in ("kubepi", "tests")
    for path in (REPOSITORY / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
MOST_LINES = 300

# A room may import the rooms below it and itself; decide/plan is a room of its own.
FLOORS = [
    {"errors", "log", "__init__"},
    {"native", "resources"},
    {"decide"},
    {"addons"},
    {"machine"},
    {"cluster", "lan"},
    {"steps"},
    {"plan"},
    {"agent"},
    {"terminal", "cardlog"},
    {"reconcile", "report"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
# What a pure file has no use for.
IMPURE = {
    "os", "subprocess", "socket", "time", "random", "pathlib", "shutil", "tempfile", "requests",
    "zeroconf", "asyncio", "threading", "secrets",
}  # fmt: skip


def run(*command: str) -> None:
    argv = [sys.executable, "-m", *command]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_ruff() -> None:
    run("ruff", "check", ".")


def test_mypy() -> None:
    run("mypy")


def room(module: str) -> str:
    parts = module.split(".")
    if parts[:3] == ["kubepi", "decide", "plan"]:
        return "plan"
    return parts[1] if len(parts) > 1 else "__init__"


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def imported(path: Path) -> list[str]:
    """Names of all imported modules, wherever in the file they are imported."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


PRODUCT = [path for path in FILES if path.is_relative_to(REPOSITORY / "kubepi")]


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way(path: Path) -> None:
    own = room(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    for name in imported(path):
        if name.startswith("kubepi."):
            other = room(name)
            if other not in {r for rooms in FLOORS for r in rooms}:
                other = "__init__"
            assert other == own or floor(other) < floor(own), f"{own} imports {name}"
        elif own == "decide" and name != "pathlib.PurePosixPath":
            assert name.partition(".")[0] not in IMPURE, f"decide is pure, but imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "the first line of a module says what it is for"


def test_a_file_names_tests_that_are_there() -> None:
    named = re.compile(r"\btests/[a-z_/]+\.py\b")
    found = [
        f"{path.relative_to(REPOSITORY)}: {name}"
        for path in FILES
        for name in named.findall(path.read_text())
        if not (REPOSITORY / name).exists()
    ]
    assert not found, "\n".join(found)


def test_no_patches_and_no_swallowed_errors() -> None:
    own = Path(__file__)
    forbidden = re.compile(
        r"mock\.patch|monkeypatch\.setattr|except( Exception)?: *pass|\bTODO\b|\bFIXME\b"
    )
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in FILES
        if path != own
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, "\n".join(found)
