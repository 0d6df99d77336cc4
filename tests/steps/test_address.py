"""steps/address.py, control_plane_address.py: all follows a new address, cut at every effect."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubepi.cluster import etcd
from kubepi.decide.address import CERTIFICATES, Addresses, certificate_addresses
from kubepi.decide.goal import Goal
from kubepi.decide.plan import address
from kubepi.errors import CommandFailed, NotYet, StepFailed
from kubepi.machine import state
from kubepi.machine.certificates import PKI
from kubepi.machine.step import Step
from kubepi.steps.address import (
    AddressesNoted,
    AddressesUnderWay,
    NodeAddressed,
    Restarted,
    ServiceReady,
)
from kubepi.steps.control_plane_address import ControlPlaneAddressed, EtcdMemberAddressed
from kubepi.steps.parts import make_right
from kubepi.steps.static_pods import STATIC_PODS
from tests.address_programs import (
    ENABLED,
    FILES,
    MEMBERS,
    OLD,
    Moved,
    moved_master,
)
from tests.fakes import Answer, FakePi, PowerCut
from tests.kubeadm_certs import OWN
from tests.scene import init_goal, join_goal
from tests.steps.lawful import obeys

GOAL = init_goal()
NOW = Addresses(OWN, OWN)
KUBELET = Restarted("kube-proxy", NOW)


def moved(pi: FakePi) -> Moved:
    assert isinstance(pi, Moved)
    return pi


def test_certificates_credentials_and_manifests_follow(tmp_path: Path) -> None:
    pi = obeys(ControlPlaneAddressed(GOAL), moved_master, tmp_path)
    for name, text in FILES.items():
        others = text.count(f"1{OLD}")  # another member of etcd stays where it is
        after = pi.read(name) or ""
        assert after.count(OLD) == after.count(f"1{OLD}") == others
        assert after.count(OWN) == text.count(OLD) - others
        assert pi.mode(name) == 0o600
    for name in CERTIFICATES:
        assert certificate_addresses(pi.read(f"{PKI}/{name}.crt") or "") == {"127.0.0.1", OWN}


def test_a_control_plane_is_off_while_its_address_changes(tmp_path: Path) -> None:
    """A new API server beside an old etcd would let kubelet wait, and with it etcd."""
    pi = moved(moved_master(tmp_path / "pi"))
    old = {name: pi.read(name) for name in FILES}
    seen: list[str | list[str]] = []

    def start(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        seen.append([name for name in FILES if pi.read(name) == old[name]])
        pi.running.add("kubelet.service")
        return 0, ""

    def kill(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        seen.append(" ".join(argv[-2:]))
        moved(pi).containers.pop(argv[-1])
        assert "kubelet.service" not in pi.running
        assert {name: pi.read(name) for name in FILES} == old
        return 0, ""

    pi.changes("systemctl", "start", script=start)
    pi.changes("ctr", "--namespace", "k8s.io", "tasks", "kill", script=kill)
    ControlPlaneAddressed(GOAL).apply(pi)
    unchanged = ["/etc/kubernetes/kubelet.conf"]  # it has the API's name
    others = [name for name in STATIC_PODS if name != "kube-apiserver"]
    killed = [f"SIGKILL 1-{name}" for name in others]
    assert seen == ["SIGTERM 1-kube-apiserver", *killed, unchanged], "and no container of a user"


def test_where_kubelet_was_stopped_on_purpose_nothing_is_stopped_or_started(tmp_path: Path) -> None:
    pi = moved(moved_master(tmp_path / "pi"))
    pi.running.discard("kubelet.service")
    with pytest.raises(StepFailed, match="the kubelet is off"):
        make_right(address.plan(GOAL, NOW), pi)
    assert "kubelet.service" not in pi.running
    assert not [name for name in pi.containers if name.startswith("2-")]
    assert ControlPlaneAddressed(GOAL).check(pi) is None


def test_killed_at_any_effect_the_next_run_has_kubelet_run(tmp_path: Path) -> None:
    """No boot comes after it, which would start it anyway."""
    step = ControlPlaneAddressed(GOAL)
    whole = moved_master(tmp_path / "whole")
    whole.fake_disk.effects = stopped = 0
    step.apply(whole)
    for effect in range(1, whole.fake_disk.effects + 1):
        pi = moved_master(tmp_path / str(effect))
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            step.apply(pi)
        pi.fake_disk.die_at = None
        stopped += "kubelet.service" not in pi.running
        if step.check(pi) is not None:
            step.apply(pi)
        assert "kubelet.service" in pi.running
        assert step.check(pi) is None
    assert stopped > 3


def test_kubelet_that_was_disabled_meanwhile_stays_so(tmp_path: Path) -> None:
    pi, step = moved_master(tmp_path / "pi"), ControlPlaneAddressed(GOAL)
    pi.changes("systemctl", "start", script=lambda pi, argv, stdin: (1, "killed"))
    with pytest.raises(CommandFailed):
        step.apply(pi)
    assert str(step.check(pi)) == "kubelet was stopped for it"
    pi.path(ENABLED).unlink()
    step.apply(pi)
    assert step.check(pi) is None


def test_while_containerd_is_silent_kubelet_runs_on(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    pi.looks("ctr", "--namespace", "k8s.io", "tasks", "list", script=lambda *_: (1, "no answer"))
    with pytest.raises(NotYet, match="containerd"):
        ControlPlaneAddressed(GOAL).apply(pi)
    assert "kubelet.service" in pi.running


def test_a_key_that_a_cut_emptied_is_made_again(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    step = ControlPlaneAddressed(GOAL)
    step.apply(pi)
    pi.put("/etc/kubernetes/pki/etcd/peer.key", "")
    assert str(step.check(pi)) == f"/etc/kubernetes/pki/etcd/peer.crt is not for {OWN}"


def test_the_token_is_in_no_argument_and_in_no_file_afterwards(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    ControlPlaneAddressed(GOAL).apply(pi)
    assert not pi.exists(f"{state.RUN}/kubeadm.yaml")
    assert not any("canary" in word for argv in pi.ran for word in argv)


def test_what_read_the_old_addresses_starts_again_and_nothing_else(tmp_path: Path) -> None:
    pi = moved(obeys(KUBELET, moved_master, tmp_path))
    assert {"2-kube-proxy", "1-kube-scheduler", "1-flannel"} <= {*pi.containers}
    assert pi.told["kubelet"] == OWN


def test_after_a_boot_it_is_not_known_what_was_restarted(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    KUBELET.apply(pi)
    assert KUBELET.check(pi) is None
    pi.power_cut()
    assert KUBELET.check(pi) is not None


def test_nothing_is_restarted_for_no_new_address(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    pi.put(state.ADDRESSES, f"{NOW}\n")
    assert KUBELET.check(pi) is None


def test_a_container_that_ends_meanwhile_is_no_failure(tmp_path: Path) -> None:
    pi = moved(moved_master(tmp_path / "pi"))
    kill = ("ctr", "--namespace", "k8s.io", "tasks", "kill")
    pi.changes(*kill, script=lambda pi, argv, stdin: (1, "process already finished: not found"))
    KUBELET.apply(pi)
    pi.changes(*kill, script=lambda pi, argv, stdin: (1, "permission denied"))
    with pytest.raises(CommandFailed):
        KUBELET.apply(pi)


def test_etcd_is_told_the_new_peer_url_of_this_member_alone(tmp_path: Path) -> None:
    pi = obeys(EtcdMemberAddressed(GOAL), moved_master, tmp_path)
    rows = json.loads(pi.read(MEMBERS) or "")
    assert rows == [[0xA1, "pi7", OWN], [0xB2, "pi8", f"1{OLD}"]]


def test_a_member_is_removed_by_its_identity(tmp_path: Path) -> None:
    pi = moved_master(tmp_path / "pi")
    etcd.remove(pi, next(m for m in etcd.members(pi) if m.name == "pi8"))
    assert [m.name for m in etcd.members(pi)] == ["pi7"]


def test_without_an_etcd_nobody_can_be_asked(tmp_path: Path) -> None:
    pi = moved(moved_master(tmp_path / "pi"))
    pi.containers.clear()
    pi.running.discard("kubelet.service")
    with pytest.raises(NotYet, match="etcd"):
        EtcdMemberAddressed(GOAL).check(pi)


def healing(folder: Path) -> FakePi:
    """While somebody waits, kubelet, kube-proxy and flannel come up again."""
    pi = moved(moved_master(folder))

    def heal() -> None:
        pi.told.update(kubelet=OWN, flannel=OWN)
        pi.containers["2-kube-proxy"] = pi.containers.pop("1-kube-proxy", "kube-proxy")

    pi.clock.on_sleep.append(heal)
    return pi


@pytest.mark.parametrize("step", [ServiceReady(GOAL), NodeAddressed(GOAL)], ids=["API", "node"])
def test_what_others_do_is_waited_for(step: Step, tmp_path: Path) -> None:
    obeys(step, healing, tmp_path)


def test_an_address_that_was_left_is_waited_for(tmp_path: Path) -> None:
    pi, step = moved(healing(tmp_path / "pi")), ServiceReady(GOAL)
    pi.left_behind = True
    pi.sleep(1.0)
    assert str(step.check(pi)) == "one of its addresses does not answer"
    pi.left_behind = False
    assert step.check(pi) is None


def test_what_is_waited_for_is_told(tmp_path: Path) -> None:
    pi, step = moved(moved_master(tmp_path / "pi")), NodeAddressed(GOAL)
    assert str(ServiceReady(GOAL).check(pi)) == f"dial tcp {OLD}: no route to host"
    assert str(step.check(pi)) == f"its Node does not have {OWN} yet"
    pi.told["kubelet"] = OWN
    assert str(step.check(pi)) == f"flannel has {OLD}"


def test_what_was_noted_holds_no_more(tmp_path: Path) -> None:
    pi = obeys(AddressesUnderWay(NOW), moved_master, tmp_path)
    assert AddressesNoted(Addresses(OLD, OLD)).check(pi) is not None


def test_the_way_back_starts_again_what_was_there_before(tmp_path: Path) -> None:
    """Whatever was restarted at the address in between, by kubepi or by itself."""
    pi, before = moved_master(tmp_path / "pi"), Addresses(OLD, OLD)
    Restarted("flannel", before).apply(pi)
    AddressesUnderWay(NOW).apply(pi)
    AddressesUnderWay(before).apply(pi)
    assert Restarted("flannel", before).check(pi) is not None


def test_it_is_noted_last(tmp_path: Path) -> None:
    obeys(AddressesNoted(NOW), moved_master, tmp_path)


@pytest.mark.parametrize("goal", [GOAL, join_goal()], ids=["master", "worker"])
def test_the_whole_plan_and_a_second_run_changes_nothing(tmp_path: Path, goal: Goal) -> None:
    pi = moved_master(tmp_path / "pi")
    plan = address.plan(goal, NOW)
    make_right(plan, pi)
    assert [step.name for step in plan if step.check(pi) is not None] == []
    before = len(pi.ran)
    make_right(plan, pi)
    assert len(pi.ran) == before
