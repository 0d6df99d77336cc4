"""kubepi/steps/names.py: the API's one name in /etc/hosts before kubeadm needs it."""

from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.goal import Goal
from kubepi.decide.hosts import HOSTS, LABEL
from kubepi.errors import StepFailed
from kubepi.steps.cloud_init import TEMPLATE, CloudInitKeepsNames
from kubepi.steps.files import BlockAbsent, begin_mark
from kubepi.steps.names import ApiNamed, keep_names, own_address
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.scene import fresh_pi, init_goal, join_goal
from tests.steps.lawful import obeys

API = "home.kubepi.internal"
AS_MASTER, AS_WORKER = ApiNamed(init_goal()), ApiNamed(join_goal())


def with_agent(folder: Path) -> FakePi:
    """Whoever waits lets the agent hear the master."""
    pi = fresh_pi(folder)
    pi.put("/etc/systemd/system/kubepi-agent.service", "")
    pi.running.add("kubepi-agent.service")
    return pi


class Rebooting(FakePi):
    """systemd starts the agent at every boot."""

    def power_cut(self) -> None:
        super().power_cut()
        self.running.add("kubepi-agent.service")


def rebooting(folder: Path) -> FakePi:
    pi = with_agent(folder)
    pi.__class__ = Rebooting
    return pi


def lines(pi: FakePi) -> list[str]:
    return [line for line in (pi.read(HOSTS) or "").splitlines() if API in line]


def test_a_master_names_itself(tmp_path: Path) -> None:
    pi = obeys(AS_MASTER, fresh_pi, tmp_path)
    assert lines(pi) == [f"10.0.0.7 {API}"]
    assert (pi.read(HOSTS) or "").startswith("127.0.0.1\tlocalhost\n")


def test_a_master_that_is_restored_names_itself_too(tmp_path: Path) -> None:
    pi = obeys(ApiNamed(replace(init_goal(), verb="restore")), fresh_pi, tmp_path)
    assert lines(pi) == [f"10.0.0.7 {API}"]


def test_a_worker_names_the_master_that_its_agent_heard(tmp_path: Path) -> None:
    pi = obeys(AS_WORKER, rebooting, tmp_path)
    assert lines(pi) == [f"10.0.0.1 {API}"]
    assert "10.0.0.1 pi1" in (pi.read(HOSTS) or "")


def test_a_worker_whose_agent_hears_nothing_says_so_after_a_while(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    start, before = pi.now(), pi.read(HOSTS)
    with pytest.raises(StepFailed, match="for the master; last seen: found no master on this LAN"):
        AS_WORKER.apply(pi)
    assert 120 <= pi.now() - start < 130
    assert pi.read(HOSTS) == before


@pytest.mark.parametrize(
    ("hosts", "is_there"),
    [
        (f"10.0.0.1 {API}\n", True),
        (f"10.0.0.1\tother {API} # comment\n", True),
        (f"# 10.0.0.1 {API}\n", False),
        (f"10.0.0.1 x.{API}\n", False),
        (f"{API} 10.0.0.1\n", False),
        ("", False),
    ],
)
def test_what_counts_as_the_name_being_there(tmp_path: Path, hosts: str, is_there: bool) -> None:
    found = AS_MASTER.check(FakePi(tmp_path, {HOSTS: hosts}).read_only())
    assert (found is None) is is_there


def test_another_cluster_has_another_name(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    AS_MASTER.apply(pi)
    assert ApiNamed(init_goal(cluster__name="attic")).check(pi.read_only()) is not None


# --- the own address --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "address"),
    [(join_goal(), "10.0.0.7"), (join_goal(node__address=""), "192.168.1.20")],
    ids=["configured", "of the default route"],
)
def test_the_own_address(tmp_path: Path, goal: Goal, address: str) -> None:
    assert own_address(pi_of("pi4b-trixie", tmp_path / "pi"), goal) == address


def test_without_any_address_the_cable_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="no address on any network") as caught:
        own_address(FakePi(tmp_path), join_goal(node__address=""))
    assert "cable" in caught.value.hint


# --- what the agent keeps ---------------------------------------------------------------------


def test_names_are_kept_and_a_repetition_writes_nothing(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    assert keep_names(pi, (f"10.0.0.1 {API}",))
    effects = pi.fake_disk.effects
    assert not keep_names(pi, (f"10.0.0.1 {API}",))
    assert pi.fake_disk.effects == effects
    assert keep_names(pi, (f"10.0.0.2 {API}",))
    assert lines(pi) == [f"10.0.0.2 {API}"]
    BlockAbsent(HOSTS, LABEL).apply(pi)
    assert lines(pi) == []


def test_what_cloud_init_makes_hosts_of_has_the_names_too(tmp_path: Path) -> None:
    """It writes /etc/hosts anew at every boot where Imager set a host name."""
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    CloudInitKeepsNames().apply(pi)
    keep_names(pi, (f"10.0.0.1 {API}",))
    assert API in (pi.read(TEMPLATE) or "")
    assert CloudInitKeepsNames().check(pi.read_only()) is None


def test_a_cut_between_the_two_is_mended_by_the_next_look(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    CloudInitKeepsNames().apply(pi)
    keep_names(pi, (f"10.0.0.1 {API}",))
    pi.put(TEMPLATE, "127.0.0.1 localhost\n")
    assert not keep_names(pi, (f"10.0.0.1 {API}",))
    assert begin_mark(LABEL) in (pi.read(TEMPLATE) or "")
