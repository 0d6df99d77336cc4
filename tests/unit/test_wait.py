"""Host.wait_until: bounded, shown while it lasts, and a time-out that says what was last seen."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from kubepi.errors import NotYet, StepFailed
from tests.fakes import FakePi


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


def after(answers: int) -> Callable[[], str | None]:
    """Says what is in the way as often as told, then nothing."""
    asked = 0

    def done() -> str | None:
        nonlocal asked
        asked += 1
        return None if asked > answers else f"answer {asked}"

    return done


def test_what_is_there_is_not_waited_for(pi: FakePi) -> None:
    start, shown = pi.monotonic(), list[str]()
    pi.on_wait = shown.append
    pi.wait_until("the API", after(0), timeout=0)
    assert pi.monotonic() == start
    assert shown == []


def test_it_asks_at_the_interval_and_shows_each_answer(pi: FakePi) -> None:
    start, shown = pi.monotonic(), list[str]()
    pi.on_wait = shown.append
    pi.wait_until("the API", after(3), timeout=60, interval=2.5)
    assert pi.monotonic() - start == 7.5
    assert shown == [f"waiting for the API: answer {number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(("took", "pause"), [(0.1, 1.0), (4.0, 8.0), (60.0, 20.0)])
def test_a_slow_answer_is_asked_for_less_often(pi: FakePi, took: float, pause: float) -> None:
    """kubectl takes seconds on a Pi that is starting Kubernetes, and the processor with it."""
    asked: list[float] = []

    def done() -> str | None:
        asked.append(pi.monotonic())
        pi.clock.seconds += took
        return None if len(asked) == 3 else "not yet"

    pi.wait_until("the API", done, timeout=600)
    assert [round(b - a - took, 3) for a, b in pairwise(asked)] == [pause, pause]


def test_the_time_out_says_how_long_for_what_and_what_was_last_seen(pi: FakePi) -> None:
    start = pi.monotonic()
    with pytest.raises(StepFailed) as caught:
        pi.wait_until("the API", after(1000), timeout=10)
    assert caught.value.sentence == "waited 11 s for the API; last seen: answer 12"
    assert "kubepi doctor" in caught.value.hint
    assert pi.monotonic() - start == 11


def test_an_answer_in_the_last_moment_counts(pi: FakePi) -> None:
    pi.wait_until("the API", after(10), timeout=10)


def test_it_asks_once_even_without_time(pi: FakePi) -> None:
    with pytest.raises(StepFailed, match="last seen: answer 2"):
        pi.wait_until("the API", after(9), timeout=0)


@pytest.mark.parametrize("error", [NotYet("kubectl"), StepFailed("two masters")])
def test_an_error_ends_the_waiting(pi: FakePi, error: Exception) -> None:
    def done() -> str | None:
        raise error

    with pytest.raises(type(error)) as caught:
        pi.wait_until("the API", done, timeout=60)
    assert caught.value is error
