"""kubepi upgrade: which version it goes to, what it refuses, and what it leaves when it failed."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.commands import resume, upgrade
from kubepi.commands.settings import as_upgraded
from kubepi.commands.upgrading import upgrade_node
from kubepi.decide.upgrade import OS, Upgrade
from kubepi.errors import CommandFailed, PreflightFailed, StepFailed, UsageError
from kubepi.machine import state, upgrading
from kubepi.machine.archive import verify
from kubepi.machine.backups import BACKUPS
from kubepi.machine.configfiles import load
from kubepi.reconcile import Options, reconcile
from kubepi.steps.install import FILE
from tests.etcd_programs import install_etcd
from tests.fakes import FakePi
from tests.kubernetes_programs import put_objects
from tests.scene import init_goal
from tests.steps.test_cordon import pod
from tests.steps.test_upgrade_problems import label_master, node
from tests.upgrade_scene import MASTER, NEW, OLD, old_node


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = old_node(tmp_path / "pi")
    put_objects(pi, node("pi7"))
    label_master(pi, "pi7")
    pi.put(FILE, "kubepi.pyz")  # this one runs from its source
    return pi


def typed(version: str | None = None, **options: Any) -> argparse.Namespace:
    words = {"kubepi": None, "kit": None}
    flags = dict.fromkeys(("all", "here", "force", "yes", "os", "dry_run"), False)
    return argparse.Namespace(**{**words, **flags, "version": version, **options})


def test_a_version_that_is_here_already_changes_nothing(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upgrade.run(typed(OLD), pi) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert pi.ran == []


def test_a_dry_run_shows_the_plan(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    before = pi.tree()
    assert upgrade.run(typed(dry_run=True), pi) == 0
    assert f"control plane {NEW} (kubeadm upgrade)" in capsys.readouterr().err
    assert (pi.tree(), pi.ran) == (before, [])


def test_a_master_makes_a_backup_before_once(pi: FakePi) -> None:
    """Also where it is tried again; an upgrade that begins anew makes another one."""
    put_objects(pi, node("pi8") | pod("mine", owner=""))
    for _ in range(2):
        with pytest.raises(StepFailed, match="nobody would start"):
            upgrade_node(pi, init_goal(), Upgrade(NEW), Options())
    found = upgrading.load(pi)
    assert found is not None
    assert pi.listdir(BACKUPS) == [found.backup]
    assert verify(pi.path(f"{BACKUPS}/{found.backup}")).kubernetes == OLD
    programs = [argv[:2] for argv in pi.ran]
    assert programs.index(("ctr", "--namespace")) < programs.index(("kubeadm", "upgrade"))


def test_without_a_backup_nothing_is_changed(pi: FakePi) -> None:
    install_etcd(pi, ())
    with pytest.raises(CommandFailed, match="etcd gave no snapshot"):
        upgrade_node(pi, init_goal(), Upgrade(NEW), Options())
    assert not [argv for argv in pi.ran if argv[0] in ("kubeadm", "apt-get")]


@pytest.mark.parametrize(("version", "word"), [("1.34", "no Kubernetes 1.34"), ("v1.37.1", "skip")])
def test_what_cannot_be_is_not_even_noted(pi: FakePi, version: str, word: str) -> None:
    with pytest.raises(PreflightFailed, match=word):
        upgrade.run(typed(version), pi)
    assert upgrading.load(pi) is None
    assert state.goal_reached(pi)


def test_a_failure_is_in_the_record_and_the_way_on_is_open(pi: FakePi) -> None:
    put_objects(pi, node("pi8") | pod("mine", owner=""))
    with pytest.raises(StepFailed, match="nobody would start"):
        upgrade_node(pi, init_goal(), Upgrade(NEW), Options())
    found = upgrading.load(pi)
    assert found is not None
    assert found.configured
    assert found.failed == "nobody would start these pods again: web/mine"
    with pytest.raises(UsageError, match="being upgraded"):
        reconcile(init_goal(), pi, Options())
    with pytest.raises(UsageError, match=f"an upgrade to {NEW} is on its way"):
        upgrade.run(typed("1.35"), pi)
    assert upgrade.target(None, pi, init_goal(), OLD) == NEW


def test_resume_goes_on_with_it_to_the_end(pi: FakePi) -> None:
    upgrading.begin(pi, Upgrade(NEW))
    assert resume.run(argparse.Namespace(dry_run=False, addresses=False), pi) == 0
    assert (pi.read(state.PINNED_VERSION) or "").strip() == NEW
    assert upgrading.load(pi) is None
    assert state.goal_reached(pi)
    assert reconcile(MASTER, pi, Options()).counts.changed == 0


def test_one_that_was_wished_for_while_another_one_ended_stays(pi: FakePi) -> None:
    """The goal was reached again, and the record of before was still there."""
    upgrading.begin(pi, Upgrade(NEW, over=True))
    state.mark_reached(pi)
    upgrading.begin(pi, Upgrade(OS))
    upgrading.forget(pi)
    assert upgrading.load(pi) == Upgrade(OS)
    upgrading.note(pi, over=True)
    upgrading.forget(pi)
    assert not pi.exists(upgrading.RECORD)


def test_packages_of_debian_that_were_begun_are_gone_on_with(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also by a plain upgrade, which is what a failure's hint names."""
    installs = pi.programs["apt-get",].script

    def apt(pi: FakePi, argv: Sequence[str], stdin: str) -> Any:
        is_new = {"update", "full-upgrade"} & {*argv}
        return (0, "") if is_new else installs(pi, argv, stdin)

    pi.changes("apt-get", script=apt)
    upgrading.begin(pi, Upgrade(OS))
    for version in ("1.36", "newest", NEW):
        with pytest.raises(UsageError, match="an upgrade of Debian's packages is on its way"):
            upgrade.run(typed(version), pi)
    assert upgrade.run(typed(), pi) == 0
    assert "This node is up to date now." in capsys.readouterr().out
    assert upgrading.load(pi) is None
    assert (pi.read(state.PINNED_VERSION) or "").strip() == OLD


def test_kubernetes_that_was_begun_is_not_forgotten_for_packages_of_debian(pi: FakePi) -> None:
    upgrading.begin(pi, Upgrade(NEW))
    for options in ({"os": True}, {"os": True, "all": True}, {"version": "1.35", "all": True}):
        with pytest.raises(UsageError, match=f"an upgrade to {NEW} is on its way"):
            upgrade.run(typed(**options), pi)
    assert upgrading.load(pi) == Upgrade(NEW)


def test_another_node_that_comes_back_is_waited_for(pi: FakePi) -> None:
    """As the one that asked, after a power cut: nobody would type the command again here."""
    put_objects(pi, node("pi8", ready="False"))
    pi.clock.on_sleep.append(lambda: put_objects(pi, node("pi8")))
    with pytest.raises(PreflightFailed, match="pi8 is not Ready"):
        upgrade_node(pi, init_goal(), Upgrade(NEW), Options())
    upgrading.begin(pi, Upgrade(NEW))
    upgrade_node(pi, MASTER, Upgrade(NEW), Options())
    assert upgrading.load(pi) is None


def at_each_look(pi: FakePi, before: Callable[[int], None]) -> list[str]:
    """`before` each kubectl, with how often the nodes were asked for; those looks, as they come."""
    script = pi.programs["kubectl",].script
    asked: list[str] = []

    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Any:
        asked.extend(["nodes"] if argv[6:8] == ["get", "nodes"] else [])
        before(len(asked))
        return script(pi, argv, stdin)

    pi.looks("kubectl", script=kubectl)
    return asked


def test_a_node_that_booted_may_be_called_ready_first_and_then_not(pi: FakePi) -> None:
    """Until it has missed its signs of life, the API has what it said before the power cut."""

    def before(looks: int) -> None:
        put_objects(pi, node("pi8", ready="False" if looks == 2 else "True"))

    at_each_look(pi, before)
    upgrading.begin(pi, Upgrade(NEW))
    upgrade_node(pi, MASTER, Upgrade(NEW), Options())
    assert upgrading.load(pi) is None


def test_another_node_that_stays_away_is_named(pi: FakePi) -> None:
    put_objects(pi, node("pi8", ready="False"))
    upgrading.begin(pi, Upgrade(NEW))
    with pytest.raises(PreflightFailed, match="pi8 is not Ready"):
        upgrade_node(pi, init_goal(), Upgrade(NEW), Options())
    found = upgrading.load(pi)
    assert found is not None
    assert found.failed == "pi8 is not Ready: no network"


@pytest.mark.parametrize("version", [NEW, OS])
def test_what_resume_has_ended_meanwhile_is_not_done_again(pi: FakePi, version: str) -> None:
    """Both had begun it, after a boot, and this one has waited for the lock."""

    def before(looks: int) -> None:
        if looks == 2 and upgrading.load(pi) is not None:  # the second look, once it is noted
            state.mark_reached(pi)
            upgrading.forget(pi)

    asked = at_each_look(pi, before)
    upgrade_node(pi, MASTER, Upgrade(version), Options())
    assert len(asked) == 2
    assert pi.ran == []
    assert state.goal_reached(pi)


def test_the_version_in_the_config_may_follow(pi: FakePi) -> None:
    config = load(pi, {"kubernetes.version": ("--kubernetes", "1.36")})
    before = {"kubernetes.version": "1.35", "cluster.name": "home"}
    assert as_upgraded(before, config, pi) == before
    pi.put(state.PINNED_VERSION, f"{NEW}\n")
    assert as_upgraded(before, config, pi) == {**before, "kubernetes.version": "1.36"}
