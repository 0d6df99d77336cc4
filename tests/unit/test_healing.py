"""doctor about certificates, and their plan: what the agent's job and --fix run."""

from pathlib import Path

import pytest

from kubepi.commands import doctor
from kubepi.decide.address import CERTIFICATES as ADDRESSED
from kubepi.decide.address import certificate_addresses
from kubepi.decide.certificates import credentials, read_certificate
from kubepi.decide.goal import Admin, Goal
from kubepi.decide.plan import certificates
from kubepi.errors import StepFailed
from kubepi.machine import state
from kubepi.machine.certificates import FOLDER, KUBELET, PKI
from kubepi.machine.runner import Counts
from kubepi.reconcile import Options, run_beside
from kubepi.report.ailments import CERTIFICATES, Ailment, examine
from kubepi.report.status import gather
from tests.certificate_scene import aged
from tests.certs import BEGINS, KEY, YEAR, certificate
from tests.fakes import FakePi
from tests.kubeadm_certs import NEW, OWN, addressed
from tests.scene import give_token, init_goal, join_master_goal
from tests.steps.test_certificates import hears_time

GOAL = Goal("init", init_goal().settings, admin=Admin("/home/ann", 1000, 1000))
COPIES = ("/root/.kube/config", "/home/ann/.kube/config")


def member(folder: Path, age: float) -> FakePi:
    pi = aged(age)(folder)
    give_token(pi)
    state.save_goal(pi, GOAL)
    state.mark_reached(pi)
    for name in COPIES:
        pi.put(name, pi.read(f"{FOLDER}/admin.conf") or "", 0o600)
    return pi


def heal(pi: FakePi, goal: Goal = GOAL) -> Counts:
    """What `doctor --fix certificates` runs."""
    return run_beside("doctor --fix", certificates.plan(goal), pi, Options())


def of_certificates(pi: FakePi) -> list[Ailment]:
    return [one for one in examine(pi.read_only()) if one.name == CERTIFICATES]


@pytest.mark.parametrize("age", [0.8, 1.5], ids=["due", "over"])
def test_all_of_a_master_is_renewed_and_its_copies(age: float, tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", age * YEAR)
    found = of_certificates(pi)
    assert [one.fix for one in found] == [CERTIFICATES] * (1 + (age > 1))
    assert all("kubepi doctor --fix" in one.cure for one in found)
    heal(pi)
    assert state.goal_reached(pi)
    assert of_certificates(pi) == []
    for name in COPIES:
        found_there = read_certificate(credentials(pi.read(name)))
        assert found_there is not None
        assert found_there.ends == NEW[1]
    assert heal(pi).changed == 0


def test_a_year_later_at_another_address(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 1.5 * YEAR)
    for name, text in addressed("10.0.0.5").items():
        pi.put(name, text, 0o600)
    heal(pi)
    assert of_certificates(pi) == []
    for name in ADDRESSED:
        assert OWN in certificate_addresses(pi.read(f"{PKI}/{name}.crt") or "")


def test_a_further_masters_are_renewed_as_well(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 0.8 * YEAR)
    pi.path(f"{FOLDER}/super-admin.conf").unlink()  # only the first one has it
    goal = join_master_goal()
    state.save_goal(pi, goal)
    state.mark_reached(pi)
    assert [one.fix for one in of_certificates(pi)] == [CERTIFICATES]
    heal(pi, goal)
    assert of_certificates(pi) == []


def test_a_master_that_was_replaced_is_left_at_rest(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 1.5 * YEAR)
    pi.put(state.REPLACED, "10.0.0.9\n")
    assert [one for one in examine(pi.read_only()) if one.fix] == []


def test_looking_changes_nothing(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 1.5 * YEAR)
    before = pi.tree()
    assert of_certificates(pi)
    assert pi.tree() == before
    assert pi.ran == []


def test_a_failure_leaves_the_rest_of_the_node_as_reached(tmp_path: Path) -> None:
    """The agent tries again in an hour; resume has no reason to run the whole plan."""
    pi = member(tmp_path / "pi", 0.8 * YEAR)
    pi.changes("kubeadm", "certs", "renew", script=lambda *_: (1, "no space left on device"))
    with pytest.raises(Exception, match="no space left"):
        heal(pi)
    assert state.goal_reached(pi)
    assert state.attempted(pi, "certificates")


def test_what_was_not_reached_before_is_not_reached_after(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 0.8 * YEAR)
    pi.put(state.PENDING, "")
    heal(pi)
    assert not state.goal_reached(pi)


def test_doctor_speaks_of_the_clock_first(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 1.5 * YEAR)
    hears_time(pi, BEGINS + 0.5 * YEAR)
    names = [one.name for one in examine(pi.read_only())]
    assert names.index("clock") < names.index(CERTIFICATES)
    with pytest.raises(StepFailed, match="clock is 365"):
        heal(pi)


def test_an_authority_in_its_last_year_is_told(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 0.1 * YEAR)
    assert "authority" not in [one.name for one in examine(pi.read_only())]
    pi.put(f"{PKI}/etcd/ca.crt", certificate(BEGINS - 9.5 * YEAR, BEGINS + 0.5 * YEAR))
    told = next(one for one in examine(pi.read_only()) if one.name == "authority")
    assert "pki/etcd/ca.crt, which ends on 2027-03" in told.sentence
    assert told.fix == ""


def test_status_says_which_one_ends_first(tmp_path: Path) -> None:
    pi = member(tmp_path / "pi", 0.1 * YEAR)
    pi.put(KUBELET, certificate(BEGINS, BEGINS + YEAR / 2) + KEY, 0o600)
    assert gather(GOAL, pi.read_only()).certificates == "ends on 2027-03-23 02:13 UTC"


def test_what_doctor_prints_has_a_cure_for_each(tmp_path: Path) -> None:
    lines = doctor._told([Ailment("clock", "is wrong", "set it")])
    assert lines == ["clock: is wrong\n  cure: set it"]
