"""kubepi/commands/hook.py: what is on the card counts, also corrected after a failure."""

import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.commands import hook
from kubepi.decide.goal import Secret
from kubepi.decide.rotation import Tokens
from kubepi.errors import ConfigError, PreflightFailed, UsageError
from kubepi.machine import rotation, state
from kubepi.steps.install import FILE
from kubepi.steps.wifi import PROFILE
from tests.fakes import FakePi
from tests.login_programs import install_login
from tests.scene import fresh_pi, power_on

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
BOOT = "/boot/firmware"
ARGUMENTS = Namespace(keep_token=False, ignore=[], dry_run=False, reboot=False)
WIFI = "wifi:\n  country: DE\n  ssid: {ssid}\n  psk: " + "c0ffee" * 10 + "beef\n"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """In the first boot; the file is in its place already, since tests run from the source."""
    pi = fresh_pi(tmp_path / "pi", "pi4b-trixie")
    install_login(pi)
    pi.put(FILE, "kubepi", 0o755)
    pi.put("/usr/sbin/NetworkManager", "")
    write_config(pi, "")
    power_on(pi)
    return pi


def write_config(pi: FakePi, more: str) -> None:
    pi.put(f"{BOOT}/kubepi.yaml", f"cluster:\n  token: {TOKEN}\n  expect: 3\n{more}")


def test_the_goal_is_up_and_the_secret_is_roots(pi: FakePi) -> None:
    assert hook.run(ARGUMENTS, pi) == 0
    goal = state.load_goal(pi)
    assert goal is not None and goal.verb == "up" and goal.settings["cluster.expect"] == 3
    assert TOKEN not in (pi.read(f"{BOOT}/kubepi.yaml") or TOKEN)


def test_a_card_that_was_corrected_counts(pi: FakePi) -> None:
    write_config(pi, WIFI.format(ssid="Attik"))
    assert hook.run(ARGUMENTS, pi) == 0
    write_config(pi, WIFI.format(ssid="Attic"))
    assert hook.run(ARGUMENTS, pi) == 0
    bytes_of_name = "".join(f"{byte};" for byte in b"Attic")
    assert f"ssid={bytes_of_name}\n" in (pi.read(PROFILE) or "")


def test_a_members_new_card_settings_count_and_its_goal_stays(pi: FakePi) -> None:
    hook.run(ARGUMENTS, pi)
    goal = state.load_goal(pi)
    assert goal is not None
    state.save_goal(pi, replace(goal, verb="join"))
    write_config(pi, "first_boot:\n  timezone: Europe/Oslo\n")
    hook.run(ARGUMENTS, pi)
    assert pi.link_target("/etc/localtime") == "/usr/share/zoneinfo/Europe/Oslo"
    after = state.load_goal(pi)
    assert after is not None and after.verb == "join"


def test_a_card_of_before_a_change_of_the_token_does_not_put_the_old_one_back(pi: FakePi) -> None:
    hook.run(ARGUMENTS, pi)
    rotation.save(pi, Tokens("the new one", 2))
    write_config(pi, "")
    hook.run(ARGUMENTS, pi)
    assert state.read_secret(pi, Secret("token")) == "the new one"


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ("wifi:\n  country: DE\n  ssid: Attic\n", UsageError),
        ("wifi:\n  ssid: Attic\n", ConfigError),
        ("clutser:\n", ConfigError),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(
    config: str, error: type[Exception], pi: FakePi
) -> None:
    write_config(pi, config)
    with pytest.raises(error):
        hook.run(ARGUMENTS, pi)
    assert state.load_goal(pi) is None


def test_without_a_token_it_is_not_one_of_ours(pi: FakePi) -> None:
    pi.put(f"{BOOT}/kubepi.yaml", "cluster:\n  expect: 3\n")
    with pytest.raises(UsageError, match=r"no cluster\.token"):
        hook.run(ARGUMENTS, pi)


def test_a_foreign_kubernetes_is_left_alone(pi: FakePi) -> None:
    pi.put("/etc/kubernetes/kubelet.conf", "somebody's")
    with pytest.raises(PreflightFailed):
        hook.run(ARGUMENTS, pi)
    assert state.load_goal(pi) is None
    assert pi.read("/etc/kubernetes/kubelet.conf") == "somebody's"


def test_a_zone_that_the_system_does_not_know_stops_nothing(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(pi, "first_boot:\n  timezone: US/Eastern\n")
    shutil.rmtree(pi.path("/usr/share/zoneinfo"))
    assert hook.run(ARGUMENTS, pi) == 0
    assert "knows no time zone US/Eastern" in capsys.readouterr().err
