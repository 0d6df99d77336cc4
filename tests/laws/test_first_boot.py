"""The law of a prepared card: the power may be cut at every effect of its first boot.

At the next boot the hook runs again, as long as it is in cmdline.txt; the end is the same tree.
"""

from pathlib import Path

import pytest

from kubepi.decide.card import HOOK_TOKENS, recognise
from kubepi.decide.goal import Goal, Secret
from kubepi.decide.plan import hook, sdcard
from kubepi.log import Log
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.host import Host
from kubepi.machine.runner import run_plan
from kubepi.steps.wifi import PROFILE
from tests.cards import CARDS
from tests.fakedisk import PowerCut
from tests.fakes import FakePi, Recorder
from tests.login_programs import install_login
from tests.scene import NOT_OURS, TOKEN, fresh_pi, power_on, reboot, up_goal

BOOT = "/boot/firmware"
CONFIG = f'cluster:\n  name: "home"\n  token: "{TOKEN}"\n  expect: 5\n'
BOARDS = ("pi4b-trixie", "pi4b-bookworm")
# What a boot makes of the card is the kernel's and the hook script's.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann"
AS_AN_IMAGER_WOULD = {
    "first_boot__user": "ann", "first_boot__ssh_keys": [KEY], "first_boot__timezone": "Europe/Oslo",
    "wifi__ssid": "Attic", "wifi__country": "DE",
}  # fmt: skip
UNEQUAL = (*NOT_OURS, f"{BOOT}/kubepi-hook.count")


def with_card(folder: Path, board: str) -> FakePi:
    """A Pi whose card was prepared on another machine, as it is switched on."""
    pi = fresh_pi(folder, board)
    install_login(pi)
    card = Host(pi.path(BOOT), Log(None))
    found = recognise(CARDS["trixie"])
    archive = (folder / "kubepi.pyz").read_bytes()
    run_plan(sdcard.plan(found, archive, CONFIG, "", keep_token=False), card, Recorder())
    pi.put(f"{BOOT}/kubepi-hook.count", "1\n")
    pi.fake_disk.make_all_durable()
    power_on(pi)
    return pi


def run_hook(pi: FakePi, folder: Path) -> None:
    """As the script does at a boot, if the command line names it."""
    goal: Goal = state.load_goal(pi) or up_goal(**AS_AN_IMAGER_WOULD)
    for name in ("token", "wifi-psk"):
        state.save_secret(pi, Secret(name), TOKEN)
    if state.load_goal(pi) is None:
        state.save_goal(pi, goal)
    own_file = str(folder / "kubepi.pyz")
    run_plan(hook.plan(goal, look(pi), own_file, keep_token=False), pi, Recorder())


def is_hooked(pi: FakePi) -> bool:
    return HOOK_TOKENS[0] in (pi.read(f"{BOOT}/cmdline.txt") or "").split()


@pytest.mark.parametrize("board", BOARDS)
def test_the_first_boot_leaves_a_pi_that_goes_on_with_up(board: str, tmp_path: Path) -> None:
    folder = tmp_path / "pi"
    pi = with_card(folder, board)
    assert is_hooked(pi)
    run_hook(pi, folder)
    goal = state.load_goal(pi)
    assert goal is not None and goal.verb == "up" and not state.goal_reached(pi)
    assert not is_hooked(pi)
    line = pi.read(f"{BOOT}/cmdline.txt") or ""
    assert "cgroup_enable=memory" in line.split() and "systemd" not in line
    assert line.count("\n") == 1
    assert TOKEN not in (pi.read(f"{BOOT}/kubepi.yaml") or TOKEN)
    wants = "/etc/systemd/system/multi-user.target.wants"
    assert pi.exists(f"{wants}/kubepi-resume.service")
    assert pi.exists(f"{wants}/kubepi-agent.service")
    assert pi.exists(f"{wants}/ssh.service")
    assert pi.read("/home/ann/.ssh/authorized_keys") == f"{KEY}\n"
    assert TOKEN in (pi.read(PROFILE) or "")


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "pi"
    pi = with_card(folder, BOARDS[0])
    run_hook(pi, folder)
    reboot(pi)
    before = pi.tree()
    run_hook(pi, folder)
    assert pi.tree() == before


def test_a_power_cut_at_some_effects(tmp_path: Path) -> None:
    """Every thirteenth here; each of them in `tests/run --long cuts`."""
    cut_at(tmp_path, step=13)


@pytest.mark.long("cuts")
def test_a_power_cut_at_every_effect(tmp_path: Path) -> None:
    cut_at(tmp_path, step=1)


def cut_at(tmp_path: Path, step: int) -> None:
    folder = tmp_path / "whole"
    pi = with_card(folder, BOARDS[0])
    pi.fake_disk.effects = 0
    run_hook(pi, folder)
    effects = pi.fake_disk.effects
    reboot(pi)
    expected = pi.tree(ignoring=UNEQUAL)
    assert effects > 30
    for effect in range(1, effects + 1, step):
        folder = tmp_path / f"cut-{effect}"
        pi = with_card(folder, BOARDS[0])
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            run_hook(pi, folder)
        power_on(pi)
        if is_hooked(pi):
            run_hook(pi, folder)
            reboot(pi)
        found = pi.tree(ignoring=UNEQUAL)
        left = {name: entry for name, entry in found.items() if "kubepi-new" not in name}
        differing = {n for n in {*left, *expected} if left.get(n) != expected.get(n)}
        assert differing <= {f"{BOOT}/kubepi-hook.sh"}, f"after a power cut at effect {effect}"
