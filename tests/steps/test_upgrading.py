"""The steps of an upgrade: what kubeadm began is ended, and what a cut broke is put back."""

from pathlib import Path
from typing import Any

import pytest

from kubepi.decide.disabled import ANNOTATION
from kubepi.decide.plan.upgrade import plan
from kubepi.decide.upgrade import OS, Upgrade
from kubepi.errors import CommandFailed, StepFailed
from kubepi.machine import state, upgrading
from kubepi.steps.new_kubelet import Emptied, KubeletReplaced, VersionFollowed
from kubepi.steps.packages import KubernetesPackages
from kubepi.steps.upgrading import ATTEMPT, ControlPlaneMended, KubeadmUpgraded, prune_backups
from kubepi.steps.waits import ApiReady, OwnApiReady, Rebooted
from tests.fakes import FakePi, PowerCut
from tests.kubernetes_programs import objects_of, put_objects
from tests.scene import KIT, init_goal, join_goal
from tests.steps.lawful import obeys
from tests.steps.test_cordon import pod
from tests.upgrade_scene import NEW, OLD, old_node, old_worker

APPLY = KubeadmUpgraded(init_goal(), NEW)
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"


def begun(make: Any = old_node) -> Any:
    def made(folder: Path) -> FakePi:
        pi: FakePi = make(folder)
        upgrading.begin(pi, Upgrade(NEW))
        pi.fake_disk.make_all_durable()
        return pi

    return made


def words(pi: FakePi) -> list[str]:
    """Of kubeadm's last run, but its config file."""
    argv = [argv for argv in pi.ran if argv[0] == "kubeadm"][-1]
    return [word for word in argv[1:] if "/" not in word and word != "--config"]


# --- kubeadm upgrade ------------------------------------------------------------------------


def test_a_worker_is_configured(tmp_path: Path) -> None:
    pi = obeys(KubeadmUpgraded(join_goal(), NEW), begun(old_worker), tmp_path)
    assert words(pi) == ["upgrade", "node"]
    assert not pi.exists(upgrading.KEPT)


def test_the_first_master_upgrades_the_cluster(tmp_path: Path) -> None:
    pi: FakePi = begun()(tmp_path / "first")
    APPLY.apply(pi)
    assert words(pi) == ["upgrade", "apply", "--yes"]
    assert pi.read(MANIFEST) == f"kube-apiserver {NEW}"
    assert APPLY.check(pi.read_only()) is None
    assert not pi.exists(upgrading.KEPT)
    upgrading.save(pi, Upgrade(NEW))
    APPLY.apply(pi)
    assert words(pi) == ["upgrade", "node"], "the cluster is of that version: a further master"


def test_every_power_cut_of_it_is_mended(tmp_path: Path) -> None:
    """A manifest that was moved away, or lost its content, is put back; then it goes on."""
    whole: FakePi = begun()(tmp_path / "whole")
    whole.fake_disk.effects = 0
    APPLY.apply(whole)
    mended = 0
    for effect in range(1, whole.fake_disk.effects + 1):
        pi: FakePi = begun()(tmp_path / str(effect))
        pi.die_at(effect)
        with pytest.raises(PowerCut):
            APPLY.apply(pi)
        pi.power_cut()
        for step in (ControlPlaneMended(), APPLY):
            if step.check(pi.read_only()) is not None:
                mended += step == ControlPlaneMended()
                step.apply(pi)
            assert step.check(pi.read_only()) is None, f"{step.name} after a cut at {effect}"
        assert pi.read(MANIFEST) == f"kube-apiserver {NEW}"
        assert not pi.exists(upgrading.KEPT)
        assert not state.attempted(pi, ATTEMPT)
        assert words(pi) == ["upgrade", "apply", "--yes"]
    assert mended > 2


def test_a_control_plane_that_does_not_come_up_is_put_back_as_it_was(tmp_path: Path) -> None:
    """A new certificate with the key of the old one: nothing is lost, and nothing starts."""
    def broken(folder: Path) -> FakePi:
        pi: FakePi = begun()(folder)
        pi.put("/etc/kubernetes/pki/apiserver.crt", "pair")
        pi.changes("kubeadm", "upgrade", script=lambda pi, argv, stdin: (1, "killed"))
        with pytest.raises(CommandFailed):
            APPLY.apply(pi)
        pi.power_cut()
        pi.put("/etc/kubernetes/pki/apiserver.crt", "of another key")
        script = pi.programs["kubectl",].script

        def asked(pi: FakePi, argv: Any, stdin: str) -> Any:
            is_pair = pi.read("/etc/kubernetes/pki/apiserver.crt") == "pair"
            return script(pi, argv, stdin) if is_pair else (1, "connection refused")

        pi.looks("kubectl", script=asked)
        return pi

    pi = obeys(ControlPlaneMended(20.0), broken, tmp_path)
    assert pi.read("/etc/kubernetes/pki/apiserver.crt") == "pair"
    assert state.attempted(pi, ATTEMPT)


def test_the_api_of_another_master_hides_nothing_of_this_one(tmp_path: Path) -> None:
    pi: FakePi = begun()(tmp_path / "pi")
    pi.path("/etc/kubernetes/super-admin.conf").unlink()
    state.begin_attempt(pi, ATTEMPT, "node")
    assert ApiReady().check(pi.read_only()) is None, "the name leads to another one"
    assert str(ControlPlaneMended().check(pi.read_only())) == "connection refused"


@pytest.mark.parametrize("version", [NEW, OS])
def test_a_master_is_up_again_before_the_next_one_goes_down(version: str) -> None:
    """etcd can miss one of three."""
    kinds = [type(step) for step in plan(init_goal(), Upgrade(version))]
    assert kinds.index(OwnApiReady) > max(
        number for number, kind in enumerate(kinds) if kind in (Rebooted, KubeletReplaced)
    )
    assert OwnApiReady not in [type(step) for step in plan(join_goal(), Upgrade(version))]


def test_of_kubeadms_own_copies_the_newest_is_left(tmp_path: Path) -> None:
    pi = old_node(tmp_path / "pi")
    for day in (1, 2, 3):
        for kind in ("etcd", "manifests"):
            pi.put(f"/etc/kubernetes/tmp/kubeadm-backup-{kind}-2026-11-0{day}/x", "x")
    pi.put("/etc/kubernetes/tmp/mine/x", "x")
    prune_backups(pi)
    assert pi.listdir("/etc/kubernetes/tmp") == [
        "kubeadm-backup-etcd-2026-11-03", "kubeadm-backup-manifests-2026-11-03", "mine",
    ]  # fmt: skip


# --- the node -------------------------------------------------------------------------------

EMPTIED = Emptied(NEW, False, may_be_alone=True)


def among_others(*pods: dict[str, Any]) -> Any:
    def make(folder: Path) -> FakePi:
        pi: FakePi = begun()(folder)
        put_objects(pi, {"Node//pi8": {"metadata": {"name": "pi8"}}})
        for more in pods:
            put_objects(pi, more)
        pi.fake_disk.make_all_durable()
        return pi

    return make


def test_emptied(tmp_path: Path) -> None:
    pi = obeys(EMPTIED, among_others(pod("a"), pod("b")), tmp_path)
    node = objects_of(pi)["Node//pi7"]
    assert node["spec"]["unschedulable"] is True
    assert ANNOTATION in node["metadata"]["annotations"], "so that it is taken back"
    assert not [key for key in objects_of(pi) if key.startswith("Pod")]


def test_a_cluster_of_one_keeps_its_pods(tmp_path: Path) -> None:
    pi: FakePi = begun()(tmp_path / "pi")
    put_objects(pi, pod("a"))
    assert EMPTIED.check(pi.read_only()) is None
    assert Emptied(NEW, False, may_be_alone=False).check(pi.read_only()) is not None


def test_what_blocks_is_told_with_the_way_on(tmp_path: Path) -> None:
    pi: FakePi = among_others(pod("mine", owner=""))(tmp_path / "pi")
    with pytest.raises(StepFailed, match=r"nobody would start.*: web/mine$") as caught:
        EMPTIED.apply(pi)
    assert caught.value.hint == "the same command goes on; with --force it deletes what blocks"
    Emptied(NEW, True, may_be_alone=True).apply(pi)
    assert EMPTIED.check(pi.read_only()) is None


def test_once_its_new_kubelet_runs_nothing_is_emptied_again(tmp_path: Path) -> None:
    pi: FakePi = among_others(pod("a"))(tmp_path / "pi")
    KubernetesPackages(KIT, version=NEW).apply(pi)
    assert EMPTIED.check(pi.read_only()) is not None, "the old one runs still"
    KubeletReplaced(NEW).apply(pi)
    assert EMPTIED.check(pi.read_only()) is None


def test_the_kubelet_is_replaced(tmp_path: Path) -> None:
    def installed(folder: Path) -> FakePi:
        pi: FakePi = begun()(folder)
        KubernetesPackages(KIT, version=NEW).apply(pi)
        pi.fake_disk.make_all_durable()
        return pi

    pi = installed(tmp_path / "pi")
    assert str(KubeletReplaced(NEW).check(pi.read_only())) == f"is {OLD}"
    obeys(KubeletReplaced(NEW), installed, tmp_path)


def test_an_api_that_goes_with_the_old_kubelet_is_waited_for(tmp_path: Path) -> None:
    """A new kubelet makes the static pods of a master anew, once it was Ready."""
    pi: FakePi = begun()(tmp_path / "pi")
    KubernetesPackages(KIT, version=NEW).apply(pi)
    script = pi.programs["kubectl",].script
    away = [True]

    def asked(pi: FakePi, argv: Any, stdin: str) -> Any:
        return (1, "connection refused") if away else script(pi, argv, stdin)

    pi.looks("kubectl", script=asked)
    for step in (Emptied(NEW, False, may_be_alone=True), KubeletReplaced(NEW)):
        assert str(step.check(pi.read_only())) == "no answer from the Kubernetes API"
    pi.clock.on_sleep.append(away.clear)
    KubeletReplaced(NEW).apply(pi)
    pi.clock.on_sleep.clear()
    away.append(True)
    for step in (Emptied(NEW, False, may_be_alone=True), KubeletReplaced(NEW)):
        assert step.check(pi.read_only()) is None, "it was seen"


def test_the_version_is_followed(tmp_path: Path) -> None:
    pi = obeys(VersionFollowed(NEW), old_node, tmp_path)
    assert pi.read(state.PINNED_VERSION) == f"{NEW}\n"


def test_packages_of_another_version_are_held_ones_that_change(tmp_path: Path) -> None:
    pi = obeys(KubernetesPackages(KIT, ("kubeadm",), NEW), old_node, tmp_path)
    apt = next(argv for argv in pi.ran if argv[0] == "apt-get" and "--simulate" not in argv)
    assert "--allow-change-held-packages" in apt
    assert str(KubernetesPackages(KIT, version=NEW).check(pi.read_only())) == (
        f"kubelet is {OLD[1:]}-1.1, wanted {NEW[1:]}"
    )
