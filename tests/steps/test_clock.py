"""The clock: in the past, not synchronised, behind the master's; and the wait for the master."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.steps.clock import SYNCHRONISED, ClockNotBehind, MasterHeard, TimeSane
from tests.fakes import Answer, FakePi
from tests.steps.lawful import obeys

BUILT = 1_795_219_200.0
MASTER = Advert(node="pi1", node_id="aa", role="master", state="ready", cluster="home", sequence=1)


def hears(pi: FakePi, advert: Advert) -> None:
    state.write_json(pi, PEERS, to_json({"aa": Peer(advert, True, pi.monotonic())}))


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = FakePi(tmp_path)

    def set_clock(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
        yield
        return 0, ""

    pi.changes("date", "--set", script=set_clock)
    return pi


@pytest.mark.parametrize(("behind", "word"), [(60, None), (-900, None), (900, "is 900 s behind")])
def test_only_a_clock_that_is_behind_is_set(pi: FakePi, behind: int, word: str | None) -> None:
    hears(pi, replace(MASTER, time=int(pi.now()) + behind))
    finding = ClockNotBehind().check(pi.read_only())
    assert (None if finding is None else str(finding)) == word


def test_a_clock_that_is_behind_steps_to_the_masters_time(pi: FakePi) -> None:
    hears(pi, replace(MASTER, time=int(pi.now()) + 900))
    ClockNotBehind().apply(pi)
    assert pi.ran == [("date", "--set", f"@{pi.now() + 900:.0f}")]


def test_a_time_service_knows_better_than_the_master(pi: FakePi) -> None:
    pi.put(SYNCHRONISED, "")
    hears(pi, replace(MASTER, time=int(pi.now()) + 900))
    assert ClockNotBehind().check(pi.read_only()) is None


def test_the_master_is_waited_for_before_anything_is_downloaded(pi: FakePi) -> None:
    step = MasterHeard(patience=20)
    assert step.check(pi.read_only()) is not None
    pi.clock.on_sleep.append(lambda: hears(pi, MASTER))
    step.apply(pi)
    assert step.check(pi.read_only()) is None


def test_a_member_that_comes_back_waits_for_nobody(pi: FakePi) -> None:
    pi.put("/etc/kubernetes/kubelet.conf", "credentials")
    assert MasterHeard().check(pi.read_only()) is None
    state.begin_attempt(pi, "join")
    assert MasterHeard().check(pi.read_only()) is not None


# --- the time service ----------------------------------------------------------------------


def clock_pi(folder: Path, now: float, *files: str) -> FakePi:
    folder.mkdir(parents=True, exist_ok=True)
    pi = FakePi(folder, dict.fromkeys(files, ""))
    pi.clock.seconds = now
    pi.changes("date", "--set", script=set_clock)
    return pi


def set_clock(pi: FakePi, argv: Sequence[str], stdin: str) -> Generator[None, None, Answer]:
    yield
    pi.clock.seconds = float(argv[2].removeprefix("@"))
    return 0, ""


@pytest.mark.parametrize(
    ("now", "files", "finding"),
    [
        (BUILT, [SYNCHRONISED], None),
        (BUILT, [], None),
        (BUILT, ["/run/systemd/timesync/clock"], "is not synchronised yet"),
        (BUILT - 1, [], "is before kubepi was made"),
        (BUILT - 1, [SYNCHRONISED], "is before kubepi was made"),
    ],
    ids=["synchronised", "no service that runs", "not yet", "past", "past, synchronised"],
)
def test_what_a_clock_finds(
    tmp_path: Path, now: float, files: list[str], finding: str | None
) -> None:
    found = TimeSane(BUILT).check(clock_pi(tmp_path, now, *files).read_only())
    assert (None if found is None else str(found)) == finding


def test_it_waits_for_the_time_service(tmp_path: Path) -> None:
    pi = clock_pi(tmp_path, 0.0, "/run/systemd/timesync/clock")

    def service() -> None:
        if pi.clock.seconds > 20:
            pi.clock.seconds = BUILT + 5
            pi.put(SYNCHRONISED, "")

    pi.clock.on_sleep.append(service)
    TimeSane(BUILT).apply(pi)
    assert TimeSane(BUILT).check(pi.read_only()) is None
    assert not pi.exists(f"{state.RUN}/clock-accepted")


def test_a_clock_that_is_only_unsynchronised_is_accepted_until_the_next_boot(
    tmp_path: Path,
) -> None:
    """No time server on a network without the internet is no reason to stop."""
    step = TimeSane(BUILT, patience=30)
    pi = obeys(step, lambda root: clock_pi(root, BUILT, "/run/systemd/timesync/clock"), tmp_path)
    assert BUILT + 30 < pi.now() < BUILT + 35
    pi.power_cut()
    pi.put("/run/systemd/timesync/clock", "")
    assert step.check(pi.read_only()) is not None


@pytest.mark.parametrize(("seen", "floor"), [(0, BUILT), (int(BUILT) + 999, BUILT + 999)])
def test_without_anybody_who_knows_the_time_it_goes_on_from_what_is_known(
    seen: int, floor: float, tmp_path: Path
) -> None:
    """The build date, or the time that the agent saw last: never before a certificate."""

    def make(folder: Path) -> FakePi:
        pi = clock_pi(folder, 0.0)
        if seen:
            pi.put(state.LAST_SEEN, f"{seen}\n", 0o600)
        return pi

    pi = obeys(TimeSane(BUILT), make, tmp_path)
    assert floor <= pi.now() < floor + 60


def test_a_clock_that_is_later_than_all_that_is_known_is_never_set_back(tmp_path: Path) -> None:
    pi = clock_pi(tmp_path, BUILT + 5000, "/run/systemd/timesync/clock")
    pi.put(state.LAST_SEEN, f"{BUILT:.0f}\n")
    TimeSane(BUILT, patience=5).apply(pi)
    assert pi.ran == []
