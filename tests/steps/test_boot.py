"""cmdline.txt and config.txt on the boards of tests/boards: in, out, and cut off in between."""

from pathlib import Path

import pytest

from kubepi.decide.cmdline import MEMORY_TOKEN
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.steps.boot import (
    TOKENS,
    CmdlineTokens,
    CmdlineTokensAbsent,
    ConfigTxtLines,
    ConfigTxtLinesAbsent,
    MemoryController,
)
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.steps.lawful import obeys

BOOT = "/boot/firmware"
LINE = "console=serial0,115200 root=PARTUUID=a1b2c3d4-02 rootwait"
MEMORY = CmdlineTokens(BOOT, (MEMORY_TOKEN,))
HEADLESS = ConfigTxtLines(BOOT, ("gpu_mem=16",))


def a_pi(folder: Path, line: str = f"{LINE}\n", boot: str = BOOT) -> FakePi:
    folder.mkdir(parents=True, exist_ok=True)
    return FakePi(folder, {f"{boot}/cmdline.txt": line})


@pytest.mark.parametrize(
    "board", ["pi3bplus-bookworm", "pi4b-trixie", "pi5-trixie", "pi4b-bullseye"]
)
def test_tokens_obey_the_laws(board: str, tmp_path: Path) -> None:
    """Pain point 1: the right file of the two layouts, one line, only what is missing."""
    folder = look(pi_of(board, tmp_path / "facts")).boot_folder
    assert folder is not None
    step = CmdlineTokens(folder, (MEMORY_TOKEN,))
    pi = obeys(step, lambda root: pi_of(board, root), tmp_path)
    text = pi.read(f"{folder}/cmdline.txt") or ""
    assert text.endswith(f"rootwait {MEMORY_TOKEN}\n")
    assert text.count("\n") == 1
    assert pi.read(TOKENS) == f"{MEMORY_TOKEN}\n"
    assert pi.read(state.REBOOT) == f"{MEMORY_TOKEN} on the kernel command line\n"


def test_out_again_obeys_the_laws(tmp_path: Path) -> None:
    def with_token(root: Path) -> FakePi:
        pi = pi_of("pi4b-trixie", root)
        MEMORY.apply(pi)
        return pi

    before = pi_of("pi4b-trixie", tmp_path / "before").read(f"{BOOT}/cmdline.txt")
    pi = obeys(CmdlineTokensAbsent(BOOT), with_token, tmp_path)
    assert pi.read(f"{BOOT}/cmdline.txt") == before
    assert not pi.exists(TOKENS)


def test_a_new_disk_id_is_kept_when_tokens_go(tmp_path: Path) -> None:
    """The first boot writes a new disk id; an old copy put back would never boot again."""
    pi = a_pi(tmp_path)
    MEMORY.apply(pi)
    text = (pi.read(f"{BOOT}/cmdline.txt") or "").replace("a1b2c3d4", "99887766")
    pi.put(f"{BOOT}/cmdline.txt", text)
    CmdlineTokensAbsent(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE.replace('a1b2c3d4', '99887766')}\n"


def test_the_users_own_token_stays(tmp_path: Path) -> None:
    pi = a_pi(tmp_path, f"{MEMORY_TOKEN} {LINE}\n")
    assert MEMORY.check(pi.read_only()) is None
    step = CmdlineTokens(BOOT, (MEMORY_TOKEN, "psi=1"))
    step.apply(pi)
    assert pi.read(TOKENS) == "psi=1\n"
    CmdlineTokensAbsent(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{MEMORY_TOKEN} {LINE}\n"


def test_a_second_step_adds_to_the_record(tmp_path: Path) -> None:
    pi = a_pi(tmp_path)
    MEMORY.apply(pi)
    CmdlineTokens(BOOT, ("cfg80211.ieee80211_regdom=DE",)).apply(pi)
    assert (pi.read(TOKENS) or "").split() == [MEMORY_TOKEN, "cfg80211.ieee80211_regdom=DE"]
    CmdlineTokensAbsent(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE}\n"


def country(of: str) -> CmdlineTokens:
    return CmdlineTokens(BOOT, (MEMORY_TOKEN, f"cfg80211.ieee80211_regdom={of}"))


def test_another_country_takes_the_place_of_the_first_and_obeys_the_laws(tmp_path: Path) -> None:
    def with_germany(root: Path) -> FakePi:
        pi = a_pi(root, f"{LINE} cfg80211.ieee80211_regdom=US\n")
        country("DE").apply(pi)
        pi.power_cut()
        return pi

    pi = obeys(country("AT"), with_germany, tmp_path)
    tail = f"{MEMORY_TOKEN} cfg80211.ieee80211_regdom=AT"
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} cfg80211.ieee80211_regdom=US {tail}\n"
    assert (pi.read(TOKENS) or "").split() == tail.split()
    CmdlineTokensAbsent(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} cfg80211.ieee80211_regdom=US\n"


def test_no_newline_at_the_end_stays_so(tmp_path: Path) -> None:
    pi = a_pi(tmp_path, LINE)
    MEMORY.apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} {MEMORY_TOKEN}"


def test_before_systemd_run(tmp_path: Path) -> None:
    hook = f"systemd.run={BOOT}/firstrun.sh systemd.run_success_action=reboot"
    pi = a_pi(tmp_path, f"{LINE} {hook}\n")
    MEMORY.apply(pi)
    assert pi.read(f"{BOOT}/cmdline.txt") == f"{LINE} {MEMORY_TOKEN} {hook}\n"
    # Imager's clean-up cuts the hook off; the token stays
    pi.put(f"{BOOT}/cmdline.txt", f"{LINE} {MEMORY_TOKEN}\n")
    assert MEMORY.check(pi.read_only()) is None


@pytest.mark.parametrize("step", [CmdlineTokens("/boot", (MEMORY_TOKEN,)),
                                  ConfigTxtLines("/boot", ("gpu_mem=16",))])  # fmt: skip
def test_a_stub_is_refused(step: CmdlineTokens | ConfigTxtLines, tmp_path: Path) -> None:
    pi = pi_of("pi4b-bookworm", tmp_path / "pi")
    before = pi.tree()
    finding = step.check(pi.read_only())
    assert finding is not None
    assert "moved" in str(finding)
    with pytest.raises(StepFailed, match="moved"):
        step.apply(pi)
    assert pi.tree() == before


@pytest.mark.parametrize("step", [MEMORY, HEADLESS])
def test_a_missing_file_is_a_failure(step: CmdlineTokens | ConfigTxtLines, tmp_path: Path) -> None:
    pi = FakePi(tmp_path)
    assert step.check(pi.read_only()) is not None
    with pytest.raises(StepFailed, match="is missing"):
        step.apply(pi)


@pytest.mark.parametrize("board", ["pi4b-bookworm", "pi3bplus-trixie", "pi4b-ubuntu-24.04"])
def test_config_lines_obey_the_laws_and_go_again(board: str, tmp_path: Path) -> None:
    pi = obeys(HEADLESS, lambda root: pi_of(board, root), tmp_path)
    lines = (pi.read(f"{BOOT}/config.txt") or "").splitlines()
    assert lines[lines.index("gpu_mem=16") - 1] == "[all]"
    assert "gpu_mem=16" in (pi.read(state.REBOOT) or "")
    absent = ConfigTxtLinesAbsent(BOOT)
    assert absent.check(pi.read_only()) is not None
    absent.apply(pi)
    assert absent.check(pi.read_only()) is None
    before = pi_of(board, tmp_path / "before").read(f"{BOOT}/config.txt")
    assert pi.read(f"{BOOT}/config.txt") == before


def test_what_others_append_to_config_txt_is_kept(tmp_path: Path) -> None:
    pi = pi_of("pi4b-bookworm", tmp_path / "pi")
    before = pi.read(f"{BOOT}/config.txt") or ""
    HEADLESS.apply(pi)
    pi.put(f"{BOOT}/config.txt", (pi.read(f"{BOOT}/config.txt") or "") + "dtoverlay=disable-bt\n")
    assert HEADLESS.check(pi.read_only()) is None
    ConfigTxtLinesAbsent(BOOT).apply(pi)
    assert pi.read(f"{BOOT}/config.txt") == before + "dtoverlay=disable-bt\n"


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    pi = a_pi(tmp_path)
    path = pi.path(f"{BOOT}/config.txt")
    path.write_bytes(b"# Gr\xfc\xdfe\n[all]\n")
    HEADLESS.apply(pi)
    assert path.read_bytes().startswith(b"# Gr\xfc\xdfe\n[all]\n# >>> kubepi")


def test_nothing_to_take_out(tmp_path: Path) -> None:
    pi = pi_of("pi4b-bookworm", tmp_path / "pi")
    assert CmdlineTokensAbsent(BOOT).check(pi.read_only()) is None
    assert ConfigTxtLinesAbsent(BOOT).check(pi.read_only()) is None
    before = pi.tree()
    CmdlineTokensAbsent(BOOT).apply(pi)
    ConfigTxtLinesAbsent(BOOT).apply(pi)
    assert pi.tree() == before
    assert not pi.exists(state.REBOOT)


def test_memory_controller_after_the_reboot(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    step = MemoryController()
    assert str(step.check(pi.read_only())) == "is off"
    with pytest.raises(StepFailed, match=MEMORY_TOKEN):
        step.apply(pi)
    pi.put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
    assert step.check(pi.read_only()) is None
