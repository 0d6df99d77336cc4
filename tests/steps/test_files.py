"""kubepi/steps/files.py: whole files, marked blocks in foreign files, and their opposites."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.machine import state
from kubepi.steps.files import (
    BlockAbsent,
    File,
    FileRestored,
    MarkedBlock,
    begin_mark,
    end_mark,
    with_block,
    without_block,
)
from tests.fakes import FakePi
from tests.steps.lawful import obeys

CONF = "/etc/x.d/90-kubepi.conf"
OURS = File(CONF, "ours\n", 0o640, restarts=("x.service",))
HOSTS = "127.0.0.1 localhost\n"
BLOCK = MarkedBlock("/etc/hosts", "names", ("10.0.0.1 home.kubepi.internal", "10.0.0.1 pi1"))
ABSENT = BlockAbsent("/etc/hosts", "names")


def a_pi(**files: str) -> Callable[[Path], FakePi]:
    """Names in which _ stands for a slash."""
    return lambda root: FakePi(root, {name.replace("_", "/"): text for name, text in files.items()})


# --- File and FileRestored ------------------------------------------------------------------


@pytest.mark.parametrize(
    "make_pi",
    [a_pi(_etc_hostname="x"), lambda root: FakePi(root, {CONF: "theirs\n"}),
     lambda root: FakePi(root, {CONF: ""})],
    ids=["is missing", "was theirs", "was empty"],
)  # fmt: skip
def test_a_file_obeys_the_laws_and_goes_back(
    make_pi: Callable[[Path], FakePi], tmp_path: Path
) -> None:
    before = make_pi(tmp_path / "before").tree(ignoring=["/var"])
    pi = obeys(OURS, make_pi, tmp_path)
    assert (pi.read(CONF), pi.mode(CONF)) == ("ours\n", 0o640)
    assert pi.exists(state.restart_flag("x.service"))

    def applied(root: Path) -> FakePi:
        pi = make_pi(root)
        OURS.apply(pi)
        return pi

    pi = obeys(FileRestored(CONF), applied, tmp_path / "back")
    assert pi.tree(ignoring=["/var"]) == before


@pytest.mark.parametrize(
    ("text", "mode", "finding"),
    [
        (None, 0, "is missing"),
        ("theirs\n", 0o640, "has other content"),
        ("ours", 0o640, "has other content"),
        ("ours\n", 0o644, "has mode 644, wanted 640"),
        ("ours\n", 0, "has no mode"),
        ("ours\n", 0o640, None),
    ],
)
def test_what_a_file_finds(
    tmp_path: Path, text: str | None, mode: int, finding: str | None
) -> None:
    pi = FakePi(tmp_path)
    if text is not None:
        pi.put(CONF, text, mode)
    found = OURS.check(pi.read_only())
    assert (None if found is None else str(found)) == finding


def test_a_file_behind_a_link_is_right_once_it_is_applied(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/mnt/real.conf": "theirs\n"})
    pi.symlink(CONF, "../../mnt/real.conf")
    OURS.apply(pi)
    assert (pi.link_target(CONF), pi.read("/mnt/real.conf")) == ("../../mnt/real.conf", "ours\n")
    assert OURS.check(pi.read_only()) is None
    FileRestored(CONF).apply(pi)
    assert (pi.read("/mnt/real.conf"), pi.mode("/mnt/real.conf")) == ("theirs\n", 0o644)


def test_the_oldest_content_comes_back_after_many_changes(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {CONF: "theirs\n"})
    pi.chmod(CONF, 0o600)
    for text in ("one\n", "two\n", "three\n"):
        File(CONF, text).apply(pi)
    FileRestored(CONF).apply(pi)
    assert (pi.read(CONF), pi.mode(CONF)) == ("theirs\n", 0o600)
    assert FileRestored(CONF).check(pi.read_only()) is None
    assert not pi.exists(state.kept_file(CONF))


def test_folders_that_others_use_stay(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/etc/.keep": ""})
    OURS.apply(pi)
    pi.put("/etc/x.d/50-other.conf", "theirs")
    FileRestored(CONF).apply(pi)
    assert pi.listdir("/etc/x.d") == ["50-other.conf"]


def test_what_kubepi_never_touched_is_not_restored(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {CONF: "theirs\n"})
    before = pi.tree()
    assert FileRestored(CONF).check(pi.read_only()) is None
    FileRestored(CONF).apply(pi)
    assert pi.tree() == before


# --- blocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [HOSTS, "", with_block(HOSTS, "names", ("10.9.9.9 old",)) + "192.168.1.9 nas\n",
     with_block(HOSTS, "other", ("10.0.0.5 x",))],
    ids=["plain", "empty", "an older block in the middle", "another block"],
)  # fmt: skip
def test_a_block_obeys_the_laws_and_goes_again(text: str, tmp_path: Path) -> None:
    pi = obeys(BLOCK, a_pi(_etc_hosts=text), tmp_path)
    lines = (pi.read("/etc/hosts") or "").splitlines()
    start = lines.index(begin_mark("names"))
    assert tuple(lines[start + 1 : start + 3]) == BLOCK.lines
    assert lines[start + 3] == end_mark("names")
    pi = obeys(ABSENT, a_pi(_etc_hosts=pi.read("/etc/hosts") or ""), tmp_path / "out")
    assert pi.read("/etc/hosts") == without_block(text, "names")


def test_the_mode_and_odd_bytes_of_the_file_stay(tmp_path: Path) -> None:
    pi = FakePi(tmp_path, {"/etc/hosts": ""})
    path = pi.path("/etc/hosts")
    path.write_bytes(b"10.0.0.3 caf\xe9\r\n")
    path.chmod(0o600)
    BLOCK.apply(pi)
    assert path.read_bytes().startswith(b"10.0.0.3 caf\xe9\r\n# >>> kubepi names")
    ABSENT.apply(pi)
    assert path.read_bytes() == b"10.0.0.3 caf\xe9\r\n"
    assert pi.mode("/etc/hosts") == 0o600


def test_a_file_that_is_a_link_is_not_opened_to_the_world(tmp_path: Path) -> None:
    """A link's own mode is 0777."""
    pi = FakePi(tmp_path, {"/etc/hosts.real": HOSTS})
    pi.symlink("/etc/hosts", "hosts.real")
    BLOCK.apply(pi)
    assert pi.mode("/etc/hosts.real") == 0o644


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    assert ABSENT.check(pi.read_only()) is None
    assert str(BLOCK.check(pi.read_only())) == "is missing"
    BLOCK.apply(pi)
    assert BLOCK.check(pi.read_only()) is None


def test_a_block_without_its_end_is_mended_and_takes_no_foreign_line_with_it(
    tmp_path: Path,
) -> None:
    pi = FakePi(tmp_path, {"/etc/hosts": f"{HOSTS}{begin_mark('names')}\n192.168.1.9 nas\n"})
    assert str(BLOCK.check(pi.read_only())) == "has other lines"
    BLOCK.apply(pi)
    assert BLOCK.check(pi.read_only()) is None
    ABSENT.apply(pi)
    assert pi.read("/etc/hosts") == f"{HOSTS}192.168.1.9 nas\n"


@pytest.mark.parametrize("end", ["", "\r\n"], ids=["nothing", "CRLF"])
def test_a_mark_with_another_line_end_can_be_taken_out(end: str, tmp_path: Path) -> None:
    """An editor on a PC makes CRLF of all; a reset must not end there for ever."""
    text = f"{HOSTS}{begin_mark('names')}{end}"
    if end:
        text += f"10.0.0.1 pi1{end}{end_mark('names')}{end}"
    pi = FakePi(tmp_path, {"/etc/hosts": text})
    assert ABSENT.check(pi.read_only()) is not None
    ABSENT.apply(pi)
    assert ABSENT.check(pi.read_only()) is None
    assert pi.read("/etc/hosts") == HOSTS


lines = st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)


@given(lines, st.lists(st.from_regex(r"[a-z0-9 .]*", fullmatch=True), max_size=3))
def test_in_and_out_again_changes_nothing(text: str, block: list[str]) -> None:
    inside = with_block(text, "names", tuple(block))
    assert with_block(inside, "names", tuple(block)) == inside
    # of a last line without an end the end is all that stays
    end = "" if not text or text.endswith("\n") else "\n"
    assert without_block(inside, "names") == text + end


@given(lines, lines)
def test_two_blocks_do_not_know_each_other(before: str, behind: str) -> None:
    text = with_block(f"{before}\n", "one", ("1",)) + f"{behind}\n"
    both = with_block(text, "two", ("2",))
    assert without_block(both, "two") == text
    assert without_block(without_block(both, "one"), "two") == f"{before}\n{behind}\n"
