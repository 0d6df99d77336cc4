"""The laws of every kind of step: each class of kubepi/steps obeys them here or in tests/steps.

A check changes nothing; apply makes check None; twice is once; a power cut at any effect and
another apply end in the same tree (tests/steps/lawful.py). A kind without an example fails.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import kubepi.steps
from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step
from kubepi.steps.boot import ConfigTxtLines, ConfigTxtLinesAbsent, MemoryController
from kubepi.steps.containerd import ContainerdConfigured
from kubepi.steps.install import AGENT, RESUME, Installed, KubepiGone, own_files
from kubepi.steps.kubeadm import KubeadmInit, KubeadmJoin, KubeadmReset
from kubepi.steps.leave import Left
from kubepi.steps.manifests import DeploymentReady
from kubepi.steps.os_network import AvahiEverywhere, AvahiOnlyOn
from kubepi.steps.packages import AptPackages, KubernetesPackages
from kubepi.steps.services import ServiceEnabled, ServiceRunning
from kubepi.steps.tokens import TokenMade
from kubepi.steps.versions import VersionPinned
from kubepi.steps.waits import ApiReady, NodeReady, OwnApiReady, Rebooted
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.laws.covered import COVERED_THERE
from tests.programs import boot, write, write_durably
from tests.scene import KIT, fresh_pi, init_goal, join_goal
from tests.steps.lawful import MakePi, obeys

PI4 = "pi4b-trixie"
INIT, JOIN = init_goal(), join_goal()
Steps = tuple[Step, ...]
Example = tuple[Step, MakePi]


class Booting(FakePi):
    """After a power cut systemd starts what is enabled."""

    def power_cut(self) -> None:
        super().power_cut()
        boot(self)


class Journaled(Booting):
    """The other thing that a cut may do: all that was written is on the disk, synced or not.

    After the boot the pods of a node that its master knows bring flannel.
    """

    def power_cut(self) -> None:
        self.fake_disk.die_at = None
        self.fake_disk.make_all_durable()
        super().power_cut()
        if self.master_knows:
            write(self, "/etc/cni/net.d/10-flannel.conflist", "flannel")
            self.path("/sys/class/net/cni0").mkdir(parents=True, exist_ok=True)


def after(*steps: Step, board: str = "", also: Callable[[FakePi], None] | None = None) -> MakePi:
    """A Pi on which these steps were applied, all of it on the disk."""

    def make(folder: Path) -> FakePi:
        pi = fresh_pi(folder, board)
        pi.__class__ = Booting
        for step in steps:
            step.apply(pi)
        if also is not None:
            also(pi)
        pi.fake_disk.make_all_durable()
        return pi

    return make


# --- how far a node has come ----------------------------------------------------------------

INSTALLED: Steps = (
    Installed(__file__), *own_files(), ServiceEnabled(RESUME), ServiceRunning(AGENT),
)  # fmt: skip
RUNTIME: Steps = (
    AptPackages(("containerd",), KIT), VersionPinned("newest", KIT), KubernetesPackages(KIT),
    ContainerdConfigured(True), ServiceRunning("containerd.service"),
    ServiceEnabled("kubelet.service"),
)  # fmt: skip
TO_INIT: Steps = (TokenMade(), *RUNTIME)
TO_JOIN: Steps = (TokenMade(), *INSTALLED, *RUNTIME)
MASTER: Steps = (*TO_INIT, KubeadmInit(INIT, True))
HEADLESS = ConfigTxtLines("/boot/firmware", ("gpu_mem=16",))


def stopped(pi: FakePi) -> None:
    pi.running.discard("kubelet.service")


def with_lagging_coredns(pi: FakePi) -> None:
    """kubeadm's last objects come while somebody waits."""
    objects = pi.read(OBJECTS) or ""
    write_durably(pi, OBJECTS, "{}")
    pi.clock.on_sleep.append(lambda: write_durably(pi, OBJECTS, objects))


def wants_a_reboot(pi: FakePi) -> None:
    state.want_reboot(pi, "a token on the kernel command line")


EXAMPLES: Sequence[Example] = (
    (ConfigTxtLinesAbsent("/boot/firmware"), after(HEADLESS, board=PI4)),
    (AvahiEverywhere(), after(AvahiOnlyOn(("eth0",)), board=PI4)),
    (TokenMade(), after()),
    (Installed(__file__), after()),
    (KubepiGone(), after(*INSTALLED, TokenMade())),
    (KubeadmReset(), after(*MASTER)),
    (Left(), after(*TO_JOIN, KubeadmJoin(JOIN, True))),
    (ApiReady(), after(*MASTER, also=stopped)),
    (OwnApiReady(), after(*MASTER, also=stopped)),
    (NodeReady(), after(*MASTER, also=stopped)),
    (DeploymentReady("kube-system", "coredns"), after(*MASTER, also=with_lagging_coredns)),
)
# kubeadm is run again only where a check says so.
ONCE: Sequence[Example] = (
    (KubeadmInit(INIT, True), after(*TO_INIT)),
    (KubeadmJoin(JOIN, True), after(*TO_JOIN)),
)
# Only a boot makes these right: what they do is to stop the plan.
STOPS: Sequence[Example] = (
    (Rebooted(), after(also=wants_a_reboot)),
    (MemoryController(), after(board=PI4)),
)


def kinds() -> dict[str, type[Any]]:
    """Every step class that a module of kubepi/steps defines."""
    found = {}
    for module in pkgutil.iter_modules(kubepi.steps.__path__):
        loaded = importlib.import_module(f"kubepi.steps.{module.name}")
        for name, kind in inspect.getmembers(loaded, inspect.isclass):
            is_step = hasattr(kind, "check") and hasattr(kind, "apply")
            if is_step and kind.__module__ == loaded.__name__:
                found[name] = kind
    return found


def name_of(value: object) -> str:
    return type(value).__name__ if hasattr(value, "apply") else ""


def test_every_kind_of_step_has_an_example() -> None:
    here = [type(step).__name__ for step, _ in (*EXAMPLES, *ONCE, *STOPS)]
    there = [kind for covered in COVERED_THERE.values() for kind in covered]
    assert sorted([*here, *there]) == sorted(kinds())


@pytest.mark.parametrize("file", COVERED_THERE)
def test_what_is_covered_elsewhere_is_covered_there(file: str) -> None:
    """One call of obeys() for each kind at least, or one for a table of them."""
    text = (Path(__file__).parents[1] / "steps" / f"{file}.py").read_text()
    examples = text.count("obeys(") + text.count("@pytest.mark.parametrize")
    assert examples >= len(COVERED_THERE[file]) or "obeys(step, " in text
    assert "obeys(" in text
    assert [kind for kind in COVERED_THERE[file] if f"{kind}(" not in text] == []


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_steps_are_frozen_comparable_and_printable(kind: type[Any]) -> None:
    assert dataclasses.is_dataclass(kind)
    how = getattr(kind, "__dataclass_params__")  # noqa: B009 - mypy does not know it
    assert (how.frozen, how.eq, how.repr) == (True, True, True)
    assert all(field.compare for field in dataclasses.fields(kind))
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}("), "that is what dataclass() writes"


@pytest.mark.parametrize(("step", "make_pi"), EXAMPLES, ids=name_of)
def test_the_laws(step: Step, make_pi: MakePi, tmp_path: Path) -> None:
    obeys(step, make_pi, tmp_path)


@dataclasses.dataclass(frozen=True)
class AsRun:
    """A step as the runner runs it: applied only after a finding."""

    step: Step

    @property
    def name(self) -> str:
        return self.step.name

    def check(self, host: Host) -> Finding | None:
        return self.step.check(host)

    def apply(self, host: Host) -> None:
        if self.check(host) is not None:
            self.step.apply(host)


@pytest.mark.parametrize(("step", "make_pi"), ONCE, ids=name_of)
@pytest.mark.parametrize("disk", [Booting, Journaled])
def test_the_laws_of_what_is_run_once(
    step: Step, make_pi: MakePi, disk: type[Booting], tmp_path: Path
) -> None:
    def make(folder: Path) -> FakePi:
        pi = make_pi(folder)
        pi.__class__ = disk
        return pi

    obeys(AsRun(step), make, tmp_path)


@pytest.mark.parametrize(("step", "make_pi"), STOPS, ids=name_of)
def test_what_only_a_boot_makes_right_stops_the_plan(
    step: Step, make_pi: MakePi, tmp_path: Path
) -> None:
    pi = make_pi(tmp_path / "pi")
    before = pi.tree(ignoring=[state.STATE])
    assert step.check(pi.read_only()) is not None
    assert pi.tree(ignoring=[state.STATE]) == before
    with pytest.raises(KubepiError) as caught:
        step.apply(pi)
    assert caught.value.hint
    assert pi.tree(ignoring=[state.STATE]) == before
    pi.power_cut()
    assert (step.check(pi.read_only()) is None) is isinstance(step, Rebooted)


@pytest.mark.parametrize("step", [step for step, _ in (*EXAMPLES, *ONCE, *STOPS)], ids=name_of)
def test_a_step_is_its_fields_and_shows_them_on_one_line(step: Step) -> None:
    assert dataclasses.is_dataclass(step)
    assert not isinstance(step, type)
    assert dataclasses.replace(step) == step
    assert repr(step).startswith(f"{type(step).__name__}(")
    assert "\n" not in f"{step!r}{step.name}"
    assert step.name == step.name.strip() != ""


@pytest.mark.parametrize(("step", "make_pi"), ONCE, ids=name_of)
def test_what_came_up_after_a_cut_is_not_wiped_and_tells_no_token(
    step: Step, make_pi: MakePi, tmp_path: Path
) -> None:
    """--skip-phases replaces what the config file skips: show-join-command must be in it."""
    pi = make_pi(tmp_path / "pi")
    step.apply(pi)
    state.begin_attempt(pi, "init" if isinstance(step, KubeadmInit) else "join")
    pi.ran.clear()
    step.apply(pi)
    again = [" ".join(argv) for argv in pi.ran if argv[0] == "kubeadm"]
    assert len(again) == isinstance(step, KubeadmInit)
    for line in again:
        assert line.startswith("kubeadm init --skip-token-print ")
        assert "show-join-command" in line.partition("--skip-phases=")[2]
    assert step.check(pi.read_only()) is None
