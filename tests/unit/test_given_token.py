"""A token that comes with a command, or from a kubepi.yaml, to a Pi that has one: which counts."""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from kubepi.commands import join
from kubepi.decide.goal import Secret
from kubepi.decide.rotation import Tokens
from kubepi.errors import StepFailed
from kubepi.machine import rotation, state
from kubepi.reconcile import Options, reconcile
from tests.fakes import FakePi
from tests.scene import TOKEN, fresh_pi, give_token, join_goal

TYPED = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
WAIVED = ["board", "clock", "memory", "network", "processors", "userland", "cgroups"]
GOAL = join_goal(preflight__ignore=WAIVED)


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A member."""
    pi = fresh_pi(tmp_path / "pi")
    give_token(pi)
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    return pi


def token_of(pi: FakePi) -> str | None:
    return state.read_secret(pi, Secret("token"))


def reconciled(pi: FakePi, options: Options) -> str | None:
    with suppress(StepFailed):  # from a checkout it cannot install itself
        reconcile(GOAL, pi, options)
    return token_of(pi)


def joined(pi: FakePi, words: Sequence[str]) -> str | None:
    parser = argparse.ArgumentParser()
    join.add_arguments(parser)
    with suppress(StepFailed):
        join.run(parser.parse_args(words), pi)
    return token_of(pi)


@pytest.mark.parametrize("number", [1, 2])
def test_a_given_one_counts_also_on_a_member(number: int, pi: FakePi) -> None:
    rotation.save(pi, Tokens(TOKEN, number))
    assert reconciled(pi, Options(given=TYPED)) == TYPED


def test_a_configured_one_is_for_who_is_on_the_way_and_has_not_heard_of_a_change(
    pi: FakePi,
) -> None:
    assert reconciled(pi, Options(configured=TYPED)) == TOKEN
    state.save_goal(pi, GOAL)
    pi.put(state.PENDING, "")
    rotation.save(pi, Tokens(TOKEN, 2))
    assert reconciled(pi, Options(configured=TYPED)) == TOKEN
    rotation.save(pi, Tokens(TOKEN, 1))
    assert reconciled(pi, Options(configured=TYPED)) == TYPED


def test_join_gives_a_lost_member_the_right_one(pi: FakePi, tmp_path: Path) -> None:
    rotation.save(pi, Tokens(TOKEN, 2))
    file = tmp_path / "token"
    file.write_text(f"{TYPED}\n")
    ignored = [word for name in WAIVED for word in ("--ignore", name)]
    assert joined(pi, ["--token-file", str(file), *ignored]) == TYPED
