"""kubepi/agent/renewing.py: when the agent has certificates renewed, and by whom."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.agent.renewing import LOOK_AGAIN, NEXT_MASTER, TRY_AGAIN, Renewing
from kubepi.decide.adverts import Advert
from kubepi.decide.goal import Goal
from kubepi.decide.peerbook import Book, Peer
from kubepi.machine import state
from kubepi.machine.certificates import KUBELET, PKI
from tests.certs import BEGINS, KEY, YEAR, certificate
from tests.fakes import FakePi
from tests.scene import init_goal, join_goal, master

MakePi = Callable[[Path], FakePi]
SYNCHRONISED = "/run/systemd/timesync/synchronized"
JOB = ("systemd-run", "--unit=kubepi-certificates")


def aged(folder: Path, age: float, goal: Goal) -> FakePi:
    pi = master(folder)
    if goal.verb == "join":
        pi.path("/etc/kubernetes/admin.conf").unlink()
    state.save_goal(pi, goal)
    state.mark_reached(pi)
    pi.clock.seconds = BEGINS + age
    pi.changes("systemd-run", script=lambda *_: (0, ""))
    return pi


def is_wanted(pi: FakePi, book: Book | None = None) -> bool:
    return Renewing(pi).wanted(state.load_goal(pi), "pi7", book or {})


@pytest.mark.parametrize(
    ("age", "wanted"), [(0.5, False), (0.69, False), (0.71, True), (0.99, True), (1.01, False)]
)
def test_a_masters_are_renewed_before_they_end(age: float, wanted: bool, tmp_path: Path) -> None:
    """What has ended is left to a person: with a wrong clock it would look the same."""
    pi = aged(tmp_path / "pi", age * YEAR, init_goal())
    pi.put(KUBELET, certificate(ends=BEGINS + 5 * YEAR) + KEY, 0o600)  # it renews its own
    assert is_wanted(pi) is wanted


@pytest.mark.parametrize("goal", [init_goal(), join_goal()], ids=["master", "worker"])
def test_what_has_ended_is_made_anew_if_a_time_service_vouches(goal: Goal, tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 1.5 * YEAR, goal)
    pi.put("/run/systemd/timesync/.keep", "")
    assert not is_wanted(pi)
    pi.put(SYNCHRONISED, "")
    assert is_wanted(pi)


def test_a_worker_has_nothing_to_renew_while_its_kubelet_does(tmp_path: Path) -> None:
    assert not is_wanted(aged(tmp_path / "pi", 0.9 * YEAR, join_goal()))


def test_masters_take_turns(tmp_path: Path) -> None:
    """Two that restart their etcd at once would be no majority of three."""
    pi = aged(tmp_path / "pi", 0.71 * YEAR, init_goal())
    others = {
        name: Peer(Advert(node=name, role="master", state="ready"), True, pi.monotonic())
        for name in ("pi1", "pi9")
    }
    assert is_wanted(pi, {"pi9": others["pi9"]})
    assert not is_wanted(pi, others)
    pi.clock.seconds += NEXT_MASTER * YEAR
    assert is_wanted(pi, others)


def test_it_looks_once_in_an_hour_and_sooner_where_something_is_due(tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 0.7 * YEAR - 60, init_goal())
    goal, renewing = state.load_goal(pi), Renewing(pi)
    assert not renewing.wanted(goal, "pi7", {})
    pi.clock.seconds += LOOK_AGAIN - 1
    assert not renewing.wanted(goal, "pi7", {})
    pi.clock.seconds += 1
    assert renewing.wanted(goal, "pi7", {})
    assert not renewing.wanted(goal, "pi7", {})
    pi.clock.seconds += TRY_AGAIN
    assert renewing.wanted(goal, "pi7", {})


def test_a_node_that_is_on_its_way_is_left_alone(tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 0.8 * YEAR, init_goal())
    pi.put(state.PENDING, "")
    assert not is_wanted(pi)
    assert not Renewing(pi).wanted(None, "pi7", {})


def test_a_renewal_that_failed_is_tried_again(tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 0.1 * YEAR, init_goal())
    assert not is_wanted(pi)
    state.begin_attempt(pi, "certificates")
    assert is_wanted(pi)


def test_an_empty_file_is_no_certificate(tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 0.1 * YEAR, init_goal())
    pi.put(f"{PKI}/apiserver.crt", "")
    assert not is_wanted(pi)
    pi.put(SYNCHRONISED, "")
    assert is_wanted(pi)


def test_the_work_is_a_job_of_systemds_and_a_refusal_is_only_told(tmp_path: Path) -> None:
    pi = aged(tmp_path / "pi", 0.8 * YEAR, init_goal())
    Renewing(pi).do()
    assert pi.ran[-1][:2] == JOB
    assert pi.ran[-1][-3:] == ("doctor", "--fix", "certificates")
    pi.changes("systemd-run", script=lambda *_: (1, "Unit kubepi-certificates.service exists"))
    Renewing(pi).do()
