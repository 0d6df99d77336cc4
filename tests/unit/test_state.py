"""kubepi/machine/state.py: goals, secrets and kept copies below /var/lib/kubepi."""

from pathlib import Path

import pytest

from kubepi.decide.goal import Admin, Goal, Secret
from kubepi.errors import StepFailed
from kubepi.machine import state
from tests.fakes import FakePi, PowerCut
from tests.scene import init_goal, join_goal, reset_goal

TOKEN = Secret("token")
VALUE = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path / "root", {"/etc/hostname": "pi7\n"})


# --- goals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "goal",
    [
        init_goal(),
        join_goal(cluster__name="attic", kubernetes__kubelet={"maxPods": 50}),
        reset_goal(join_goal()),
        Goal("init", {"cluster.name": "home"}, admin=Admin("/home/ann", 1000, 1001)),
        Goal("init", {"cluster.name": "home"}, flagged=("cluster.name",)),
    ],
    ids=["init", "join", "reset", "admin", "flagged"],
)
def test_a_goal_comes_back_as_it_was_saved(pi: FakePi, goal: Goal) -> None:
    assert state.load_goal(pi) is None
    state.save_goal(pi, goal)
    assert state.load_goal(pi) == goal
    assert not state.goal_reached(pi)
    state.mark_reached(pi)
    assert state.goal_reached(pi)


def test_a_goal_saved_twice_is_written_once(pi: FakePi) -> None:
    state.save_goal(pi, init_goal())
    effects = pi.fake_disk.effects
    state.save_goal(pi, init_goal())
    assert pi.fake_disk.effects == effects


def test_a_new_goal_is_not_reached(pi: FakePi) -> None:
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    state.save_goal(pi, reset_goal(init_goal()))
    assert not state.goal_reached(pi)


def test_at_every_cut_a_goal_is_the_old_or_the_new_and_never_taken_for_reached(
    tmp_path: Path,
) -> None:
    old, new = init_goal(), reset_goal(init_goal())
    for effect in range(1, 100):
        pi = FakePi(tmp_path / str(effect), {"/etc/hostname": "pi7\n"})
        state.save_goal(pi, old)
        state.mark_reached(pi)
        pi.die_at(effect)
        try:
            state.save_goal(pi, new)
        except PowerCut:
            pi.power_cut()
            assert state.load_goal(pi) in (old, new)
            assert not (state.load_goal(pi) == new and state.goal_reached(pi))
        else:
            assert effect > 4
            return


@pytest.mark.parametrize("text", ["", "{", '{"verb": "init", "sett', "\0\0\0"])
def test_what_a_cut_left_of_a_json_file_is_none(pi: FakePi, text: str) -> None:
    pi.put(state.GOAL, text)
    assert state.read_json(pi, state.GOAL) is None
    assert state.load_goal(pi) is None
    assert state.read_json(pi, "/var/lib/kubepi/nothing") is None


def test_json_comes_back_and_is_the_same_text_for_the_same_data(pi: FakePi) -> None:
    state.write_json(pi, "/x", {"b": [1, None], "a": "ü"})
    first = pi.read("/x")
    state.write_json(pi, "/x", {"a": "ü", "b": [1, None]})
    assert pi.read("/x") == first
    assert state.read_json(pi, "/x") == {"a": "ü", "b": [1, None]}
    assert pi.mode("/x") == 0o600


# --- secrets ------------------------------------------------------------------------------


def test_secrets_are_for_root_only(pi: FakePi) -> None:
    state.save_secret(pi, TOKEN, VALUE)
    assert pi.mode(state.secret_file(TOKEN)) == 0o600
    assert pi.mode(f"{state.STATE}/secrets") == 0o700
    assert pi.mode(state.STATE) == 0o700
    assert state.read_secret(pi, TOKEN) == VALUE
    assert state.need_secret(pi, TOKEN) == VALUE
    assert VALUE not in repr(TOKEN)


def test_a_secret_is_never_open_to_others_even_for_a_moment(pi: FakePi) -> None:
    """It is created with its mode, not given it afterwards."""
    state.save_secret(pi, TOKEN, VALUE)
    effects = [entry.partition(" ")[0] for entry in pi.fake_disk.trail if "token" in entry]
    assert effects == ["create", "fsync", "rename"]


def test_a_secret_that_is_there_is_not_written_again(pi: FakePi) -> None:
    state.save_secret(pi, TOKEN, VALUE)
    effects = pi.fake_disk.effects
    state.save_secret(pi, TOKEN, VALUE)
    assert pi.fake_disk.effects == effects
    state.save_secret(pi, TOKEN, "another-value-of-it")
    assert state.read_secret(pi, TOKEN) == "another-value-of-it"


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_no_secret_there(pi: FakePi, text: str | None) -> None:
    if text is not None:
        pi.put(state.secret_file(TOKEN), text)
    assert not state.read_secret(pi, TOKEN)


def test_a_secret_that_is_needed_and_missing_says_what_to_do(pi: FakePi) -> None:
    with pytest.raises(StepFailed, match="has no token") as caught:
        state.need_secret(pi, TOKEN)
    assert "--token-file" in caught.value.hint


def test_a_secret_that_was_read_cannot_be_logged(pi: FakePi) -> None:
    state.save_secret(pi, TOKEN, VALUE)
    other = FakePi(pi.root)
    state.read_secret(other, TOKEN)
    assert other.log.redact(f"x {VALUE} y") == "x [secret] y"


# --- kept copies, attempts, reboots ----------------------------------------------------------


def test_the_oldest_copy_is_kept(pi: FakePi) -> None:
    state.keep_oldest(pi, "/etc/hostname")
    pi.write("/etc/hostname", "pi-new\n", 0o600)
    state.keep_oldest(pi, "/etc/hostname")
    copy = state.kept_copy(pi, "/etc/hostname")
    assert copy == {"content": "cGk3Cg==", "mode": 0o644, "made": []}
    assert pi.mode(state.kept_file("/etc/hostname")) == 0o600


def test_of_a_file_that_was_not_there_the_missing_folders_are_kept(pi: FakePi) -> None:
    state.keep_oldest(pi, "/etc/a/b/c.conf")
    copy = state.kept_copy(pi, "/etc/a/b/c.conf")
    assert copy == {"content": None, "mode": None, "made": ["/etc/a/b", "/etc/a"]}


def test_names_of_kept_copies_do_not_clash() -> None:
    names = ["/a/b", "/a%2Fb", "/a_b", "/a/b/"]
    assert len({state.kept_file(name) for name in names}) == len(names)
    assert all("/" not in state.kept_file(name).removeprefix(f"{state.KEPT}/") for name in names)


def test_the_marker_of_an_attempt_goes_after_all_that_was_done_is_on_the_disk(pi: FakePi) -> None:
    state.begin_attempt(pi, "init")
    assert state.attempted(pi, "init")
    assert not state.attempted(pi, "join")
    pi.path("/etc/unsynced").write_text("made by a program")
    state.end_attempt(pi, "init")
    pi.power_cut()
    assert not state.attempted(pi, "init")
    assert pi.read("/etc/unsynced") == "made by a program"


def test_reasons_for_a_reboot_are_gathered_once_and_forgotten_at_a_boot(pi: FakePi) -> None:
    for reason in ("swap", "a token", "swap"):
        state.want_reboot(pi, reason)
    assert pi.read(state.REBOOT) == "swap\na token\n"
    state.want_restart(pi, "containerd.service")
    assert pi.exists(state.restart_flag("containerd.service"))
    pi.power_cut()
    assert not pi.exists(state.REBOOT)
    assert not pi.exists(state.restart_flag("containerd.service"))
