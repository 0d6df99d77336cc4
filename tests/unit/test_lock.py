"""kubepi/machine/lock.py: one at a time; who waits for whom, and who is told."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubepi.errors import LockHeld, StepFailed
from kubepi.machine.lock import LOCK, LONGEST, locked
from tests.fakes import FakePi

OF_SYSTEMD = "0::/system.slice/kubepi-resume.service\n"
OF_A_PERSON = "0::/user.slice/user-1000.slice/session-3.scope\n"
HOLDER = f"/proc/{os.getpid()}/cgroup"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """Another command's process and our own are told apart by their groups alone."""
    return FakePi(tmp_path / "root", {HOLDER: OF_A_PERSON, "/proc/self/cgroup": OF_A_PERSON})


def test_a_second_holder_is_refused_with_the_name_of_the_first(pi: FakePi) -> None:
    with locked(pi, "init"):
        with pytest.raises(LockHeld) as caught, locked(pi, "reset"):
            raise AssertionError("two at a time")
        assert f"init (process {os.getpid()})" in caught.value.sentence
        assert caught.value.hint
        # and the refusal took nothing from the first
        with pytest.raises(LockHeld, match="init"), locked(pi, "join"):
            raise AssertionError("two at a time")


def test_the_lock_is_free_again_after_an_error(pi: FakePi) -> None:
    with pytest.raises(ValueError, match="a bug"), locked(pi, "init"):
        raise ValueError("a bug")
    with locked(pi, "join"):
        assert (pi.read(LOCK) or "").startswith("join ")
    assert pi.read(LOCK) == ""


def test_a_person_waits_for_what_goes_on_by_itself(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    pi.put(HOLDER, OF_SYSTEMD)
    with ExitStack() as other:
        other.enter_context(locked(pi, "disable"))
        pi.clock.on_sleep.append(other.close)
        with locked(pi, "enable"):
            assert (pi.read(LOCK) or "").startswith("enable ")
    assert "This Pi goes on with disable (process" in capsys.readouterr().err


def test_what_systemd_started_steps_aside(pi: FakePi) -> None:
    """For a person, and for another one of its kind."""
    pi.put("/proc/self/cgroup", OF_SYSTEMD)
    for holder in (OF_A_PERSON, OF_SYSTEMD):
        pi.put(HOLDER, holder)
        with locked(pi, "disable"), pytest.raises(LockHeld), locked(pi, "backup"):
            raise AssertionError("two at a time")


def test_who_looks_after_it_in_another_way_does_not_wait(pi: FakePi) -> None:
    pi.put(HOLDER, OF_SYSTEMD)
    with locked(pi, "upgrade"), pytest.raises(LockHeld), locked(pi, "upgrade", waits=False):
        raise AssertionError("two at a time")


def test_a_person_who_was_faster_is_not_waited_for(pi: FakePi) -> None:
    pi.put(HOLDER, OF_SYSTEMD)
    pi.clock.on_sleep.append(lambda: pi.put(HOLDER, OF_A_PERSON))
    with locked(pi, "init"), pytest.raises(LockHeld), locked(pi, "join"):
        raise AssertionError("two at a time")


def test_it_is_not_waited_for_without_an_end(pi: FakePi) -> None:
    pi.put(HOLDER, OF_SYSTEMD)
    start = pi.now()
    with locked(pi, "init"), pytest.raises(StepFailed, match="last seen: init"), locked(pi, "join"):
        raise AssertionError("two at a time")
    assert pi.now() - start > LONGEST
