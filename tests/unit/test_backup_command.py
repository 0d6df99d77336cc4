"""kubepi backup: who makes one, what is listed, and which nodes are to have a copy."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.commands import backup
from kubepi.commands.spreading import keepers, spread
from kubepi.decide.adverts import Advert
from kubepi.decide.backup import file_name
from kubepi.decide.peerbook import SILENT_AFTER, Peer
from kubepi.errors import NoGoal, NotYet, StepFailed, UsageError
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.backups import BACKUPS, COPIES
from kubepi.steps.backups import BackupMade
from tests.fakes import FakePi
from tests.scene import fresh_pi, give_token, join_goal
from tests.steps.test_backups import NAMES, with_etcd


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    backup.add_arguments(parser)
    return parser.parse_args(words)


def test_a_backup_leaves_the_goal_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = with_etcd(tmp_path / "pi")
    assert backup.run(asked(), pi) == 0
    out = capsys.readouterr().out.splitlines()
    assert Path(out[0]).exists()
    assert "no other node has it" in out[1]
    assert state.goal_reached(pi)


def test_one_that_fails_leaves_the_goal_reached_too(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    pi.free = 0
    with pytest.raises(StepFailed, match="are free"):
        backup.run(asked(), pi)
    assert state.goal_reached(pi)
    assert not pi.listdir(BACKUPS)


def test_a_dry_run_makes_none(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    before = pi.tree()
    assert backup.run(asked("--dry-run", "--to", "/media/usb"), pi) == 0
    assert pi.tree() == before


def test_a_worker_has_nothing_to_back_up(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    with pytest.raises(NoGoal, match="no master"):
        backup.run(asked(), pi)
    state.save_goal(pi, join_goal())
    with pytest.raises(NoGoal, match="no master") as caught:
        backup.run(asked(), pi)
    assert "sudo kubepi backup" in caught.value.hint


def test_a_share_that_is_not_there_is_no_place(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    with pytest.raises(UsageError, match="has no share"):
        backup.run(asked("--to", "share"), pi)


def test_all_that_lie_here_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = with_etcd(tmp_path / "pi")
    assert backup.run(asked("list"), pi) == 0
    assert capsys.readouterr().out == "no backup lies here\n"
    backup.run(asked(), pi)
    pi.put(f"{COPIES}/{NAMES[3]}", "half")
    capsys.readouterr()
    assert backup.run(asked("list", "--json"), pi) == 0
    own, copy = json.loads(capsys.readouterr().out)
    assert (own["whole"], own["node"], own["revision"]) == (True, "pi7", 4711)
    assert (copy["whole"], copy["file"]) == (False, str(pi.path(f"{COPIES}/{NAMES[3]}")))
    assert backup.run(asked("list"), pi) == 0
    assert "damaged" in capsys.readouterr().out


def peer(node: str, **about: str) -> Peer:
    advert = {"node": node, "address": f"10.0.0.{len(node)}", "state": "ready", "role": "worker"}
    return Peer(Advert(**{**advert, **about}), about.get("board") != "strange", 100.0)  # type: ignore[arg-type]


def test_members_that_are_there_are_to_have_a_copy() -> None:
    book = {
        "1": peer("a"), "2": peer("bb", state="joining"), "3": peer("ccc", role="none"),
        "4": peer("dddd", board="strange"), "5": peer("eeeee", address=""), "6": peer("ffffff"),
        "7": peer("ggggggg"),
    }  # fmt: skip
    assert keepers(book, 100.0) == {"a": "10.0.0.1", "ffffff": "10.0.0.6"}
    assert keepers(book, 101.0 + SILENT_AFTER) == {}


def test_two_masters_and_a_worker_have_a_copy() -> None:
    """The masters make backups themselves when the first one is lost."""
    book = {str(n): peer("w" * n) for n in range(1, 4)}
    book |= {str(n): peer("m" * n, role="master") for n in range(4, 7)}
    assert list(keepers(book, 100.0)) == ["mmmm", "mmmmm", "w"]
    del book["5"], book["6"]
    assert list(keepers(book, 100.0)) == ["mmmm", "w"]


def further_master(folder: Path, made: float) -> FakePi:
    """It keeps a backup of the first one, `made` so many seconds ago."""
    pi = with_etcd(folder)
    BackupMade(file_name("home", pi.now() - made)).apply(pi)
    state.save_goal(pi, replace(join_goal(), as_master=True))
    state.mark_reached(pi)
    pi.put(state.WISH, "0123456789abcdef check-share")  # no copies: there is nobody to make them
    hears(pi, "master")
    return pi


def hears(pi: FakePi, role: str) -> None:
    said = Advert(node="pi8", node_id="88" * 8, address="127.77.9.9", state="ready", role=role)
    pi.put(PEERS, json.dumps(to_json({said.node_id: Peer(said, True, pi.monotonic())})))


@pytest.mark.parametrize(("made", "makes"), [(600.0, False), (5000.0, True), (-600.0, True)])
def test_a_further_masters_timer_makes_what_nobody_made(
    made: float, makes: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = further_master(tmp_path / "pi", made)
    assert backup.run(asked("--scheduled"), pi) == 0
    assert ("was made lately" in capsys.readouterr().out) != makes
    assert len(pi.listdir(BACKUPS)) == (2 if makes else 1)


def test_by_hand_it_is_made_in_any_case(tmp_path: Path) -> None:
    pi = further_master(tmp_path / "pi", 600.0)
    assert backup.run(asked(), pi) == 0
    assert len(pi.listdir(BACKUPS)) == 2


def test_the_first_masters_timer_asks_nobody(tmp_path: Path) -> None:
    pi = with_etcd(tmp_path / "pi")
    BackupMade(file_name("home", pi.now() - 60)).apply(pi)
    assert backup.run(asked("--scheduled"), pi) == 0
    assert len(pi.listdir(BACKUPS)) == 2


def test_a_further_master_that_hears_no_other_may_be_of_before_a_restore(tmp_path: Path) -> None:
    pi = further_master(tmp_path / "pi", 5000.0)
    hears(pi, "worker")
    with pytest.raises(NotYet, match="another master"):
        backup.run(asked("--scheduled"), pi)
    pi.put(state.REPLACED, "10.0.0.9 older\n")
    with pytest.raises(UsageError, match="goes on without this master"):
        backup.run(asked(), pi)


def test_a_wish_of_another_command_is_not_taken_away(tmp_path: Path) -> None:
    pi: FakePi = fresh_pi(tmp_path / "pi")
    give_token(pi)
    pi.put("/run/kubepi/peers.json", json.dumps({"1": {
        "advert": {"node": "a", "address": "127.77.9.9", "state": "ready", "role": "worker"},
        "trusted": True, "heard": pi.monotonic(), "why": "",
    }}))  # fmt: skip
    pi.put(state.WISH, "0123456789abcdef check-share")
    assert spread(pi, NAMES[0]) == []
    assert pi.read(state.WISH) == "0123456789abcdef check-share"
    pi.path(state.WISH).unlink()
    seen: list[str] = []
    pi.clock.on_sleep.append(lambda: seen.append(pi.read(state.WISH) or ""))
    assert spread(pi, NAMES[0]) == []
    assert all(wish.endswith(" keep-backup a") for wish in seen) and seen
    assert not pi.exists(state.WISH)
