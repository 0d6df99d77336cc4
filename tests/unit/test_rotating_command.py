"""kubepi token rotate: one new token, whom it waits for, and what a second run does."""

import argparse
from pathlib import Path

import pytest

from kubepi.commands import token
from kubepi.decide.goal import Secret
from kubepi.errors import NoGoal
from kubepi.machine import state
from kubepi.machine.rotation import change, load
from tests.fakes import FakePi
from tests.scene import TOKEN, fresh_pi, give_token, init_goal, up_goal

KNOWN = {"b": ("pi2", "10.0.0.2"), "c": ("pi3", "10.0.0.3")}


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = fresh_pi(tmp_path / "pi")
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.write_json(pi, state.KNOWN, KNOWN)
    return pi


def rotate(pi: FakePi, *options: str) -> int:
    parser = argparse.ArgumentParser()
    token.add_arguments(parser)
    return token.run(parser.parse_args(["rotate", *options]), pi)


def all_hear(pi: FakePi) -> None:
    from kubepi.decide.rotation import Trust, heard

    for node in KNOWN:
        change(pi, lambda t, node=node: heard(t, Trust.OURS, node, t.word))  # type: ignore[misc]


def test_all_get_it(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    pi.clock.on_sleep.append(lambda: all_hear(pi))
    assert rotate(pi) == 0
    assert "All nodes have the new token" in capsys.readouterr().out
    tokens = load(pi)
    assert tokens is not None
    assert tokens.number == 2
    assert tokens.token != TOKEN
    assert tokens.before == ""
    assert state.read_secret(pi, Secret("token")) == tokens.token


def test_who_is_off_is_named_and_the_same_command_goes_on(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rotate(pi) == 1
    assert "Not heard with it yet: pi2, pi3." in capsys.readouterr().out
    first = load(pi)
    assert rotate(pi) == 1
    assert load(pi) == first, "a second change while the first is under way"
    pi.clock.on_sleep.append(lambda: all_hear(pi))
    assert rotate(pi) == 0


def test_a_dry_run_changes_nothing(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    before = pi.tree()
    assert rotate(pi, "--dry-run") == 0
    assert "pi2, pi3" in capsys.readouterr().out
    assert pi.tree() == before


def test_a_dry_run_during_a_change_says_that_it_goes_on(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    rotate(pi)
    capsys.readouterr()
    before = pi.tree()
    assert rotate(pi, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "the last change would go on, with no other token; missing: pi2, pi3" in said
    assert pi.tree() == before


def test_alone_it_has_ended_at_once(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    state.write_json(pi, state.KNOWN, {})
    assert rotate(pi) == 0
    tokens = load(pi)
    assert tokens is not None
    assert (tokens.number, tokens.before) == (2, "")


def test_it_says_what_a_person_has_to_do(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it a stolen Pi is forgotten; after it what new cards are made from is changed."""
    pi.clock.on_sleep.append(lambda: all_hear(pi))
    rotate(pi)
    said = capsys.readouterr()
    assert "stolen" in said.err
    assert "kubepi-cluster.yaml" in said.out


def test_after_a_cut_in_the_change_the_token_is_in_its_place(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    rotate(pi)
    tokens = load(pi)
    assert tokens is not None
    pi.put(state.secret_file(Secret("token")), f"{TOKEN}\n")
    capsys.readouterr()
    assert token.run(argparse.Namespace(action="show", dry_run=False), pi) == 0
    assert capsys.readouterr().out == f"{tokens.token}\n"
    rotate(pi)
    assert state.read_secret(pi, Secret("token")) == tokens.token


def test_a_pi_on_its_way_into_a_cluster_changes_nothing_there(pi: FakePi) -> None:
    state.save_goal(pi, up_goal())
    with pytest.raises(NoGoal, match="in no cluster"):
        rotate(pi)


def test_no_token_is_printed_or_logged(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    rotate(pi)
    said = capsys.readouterr()
    tokens = load(pi)
    assert tokens is not None
    for text in (said.out, said.err, *(" ".join(argv) for argv in pi.ran)):
        assert tokens.token not in text
        assert TOKEN not in text


def test_a_pi_in_no_cluster_has_nothing_to_change(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    with pytest.raises(NoGoal):
        rotate(pi)
    give_token(pi)
    with pytest.raises(NoGoal, match="in no cluster"):
        rotate(pi)
