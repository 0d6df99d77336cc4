"""kubepi/log.py: what is in the log, what never is, and that it never stops the work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kubepi.log import Log

SECRET = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "log" / "kubepi.log"


def texts(file: Path) -> list[str]:
    return [line.partition(" ")[2] for line in file.read_text().splitlines()]


def test_every_line_has_its_time_and_only_root_reads_it(file: Path) -> None:
    log = Log(file)
    log.line("one\ntwo")
    log.line("")
    log.line("three")
    assert texts(file) == ["one", "two", "", "three"]
    for line in file.read_text().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line)
    assert file.stat().st_mode & 0o777 == 0o600
    assert log.lost == ""


def test_a_log_that_was_open_to_others_is_closed(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("old\n")
    file.chmod(0o644)
    Log(file).line("new")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("old\n")


def test_a_log_without_a_file_says_nothing() -> None:
    log = Log(None)
    log.line("x")
    log.command(["true"], 0, "", 0.1)
    assert log.lost == ""


# --- secrets ------------------------------------------------------------------------------


def test_a_hidden_value_is_nowhere_in_the_log(file: Path) -> None:
    log = Log(file)
    log.hide(SECRET)
    log.line(f"token={SECRET}, again {SECRET}")
    log.command(["kubeadm", "join", "--token", SECRET], 1, f"bad token {SECRET}\n", 0.1)
    log.line(f"Traceback\n  {SECRET}\n")
    assert SECRET not in file.read_text()
    assert file.read_text().count("[secret]") == 5


def test_all_hidden_values_count(file: Path) -> None:
    log = Log(file)
    for value in (SECRET, "another-secret", SECRET):
        log.hide(value)
    assert log.redact(f"{SECRET}/another-secret/third-secret") == "[secret]/[secret]/third-secret"


@pytest.mark.parametrize("value", ["", "a", "1234567"])
def test_what_is_too_short_to_be_a_secret_does_not_make_the_log_unreadable(value: str) -> None:
    log = Log(None)
    log.hide(value)
    assert log.redact("a line 1234567") == "a line 1234567"


# --- commands -----------------------------------------------------------------------------


def test_a_command_can_be_pasted_and_has_its_output_below_it(file: Path) -> None:
    Log(file).command(["touch", "two words"], 3, "\nfirst\nsecond\n\n", 1.26)
    assert texts(file) == ["$ touch 'two words'  # exit 3, 1.3 s", "  first", "  second"]


def test_long_output_is_cut_and_says_so(file: Path) -> None:
    Log(file).command(["dmesg"], 0, "".join(f"{n}\n" for n in range(10)), 0.0, most_lines=2)
    assert texts(file)[1:] == ["  0", "  1", "  … 8 lines more"]


# --- it never stops the work ------------------------------------------------------------------


@pytest.mark.parametrize("where", ["folder", "below a file"])
def test_a_log_that_cannot_be_written_is_remembered_as_lost(tmp_path: Path, where: str) -> None:
    file = tmp_path / "log"
    if where == "folder":
        file.mkdir()
    else:
        file.write_text("")
        file = file / "kubepi.log"
    log = Log(file)
    log.line("x")
    log.command(["true"], 0, "said", 0.1)
    assert log.lost.startswith(f"{file}: ")


# A limit on the size of files is the nearest to a full disk that needs no mount.
FULL = """
import resource, signal, sys
from pathlib import Path
from kubepi.log import Log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
log = Log(Path(sys.argv[1]))
for _ in range(10):
    log.line("a line of some length")
print(log.lost)
"""


def test_a_full_disk_never_raises(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(file)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == f"{file}: File too large\n"
    assert file.read_text().count("a line of some length") == 2


def test_a_name_that_is_no_utf8_never_raises(file: Path) -> None:
    log = Log(file)
    log.command(["ls", b"Gr\xfc\xdfe".decode(errors="surrogateescape")], 0, "", 0.1)
    assert "$ ls" in file.read_text()
