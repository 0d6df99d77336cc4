"""The laws of every kind of step: each class of kubepi/steps has an example here.

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
from kubepi.decide.goal import Secret
from kubepi.errors import KubepiError
from kubepi.machine import state
from kubepi.machine.host import Host
from kubepi.machine.step import Finding, Step
from kubepi.steps.apt import AptPackages, KubernetesPackages, PackagesPurged
from kubepi.steps.boot import (
    MEMORY_TOKEN,
    CmdlineTokens,
    CmdlineTokensAbsent,
    ConfigTxtLines,
    ConfigTxtLinesAbsent,
    MemoryController,
)
from kubepi.steps.cloud_init import CloudInitKeepsNames, CloudInitRestored
from kubepi.steps.containerd import ContainerdConfigured, ImagesImported
from kubepi.steps.files import BlockAbsent, File, FileRestored, MarkedBlock
from kubepi.steps.identity import HostNamed, HostNameRestored, UniqueIdentity
from kubepi.steps.install import AGENT, RESUME, Installed, KubepiGone, own_files
from kubepi.steps.kept import KeptRestored
from kubepi.steps.kernel import KernelModules, Sysctl, TimeSane
from kubepi.steps.kubeadm import KubeadmInit, KubeadmJoin, KubeadmReset
from kubepi.steps.leave import Left, NetworkCleaned
from kubepi.steps.manifests import AdminKubeconfig, DeploymentReady, Manifest
from kubepi.steps.names import ApiNamed
from kubepi.steps.os_network import AvahiEverywhere, AvahiOnlyOn, NetworkManagerIgnores
from kubepi.steps.services import ServiceEnabled, ServiceGone, ServiceRunning
from kubepi.steps.swap import SwapOff, SwapRestored
from kubepi.steps.tokens import TokenMade
from kubepi.steps.versions import VersionPinned
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady, Rebooted
from tests.fakes import FakePi
from tests.kubernetes_programs import OBJECTS
from tests.programs import boot, write_durably
from tests.scene import KIT, fresh_pi, init_goal, join_goal
from tests.steps.lawful import MakePi, obeys

TESTS = Path(__file__).parents[1]
PI4 = "pi4b-trixie"
INIT, JOIN = init_goal(), join_goal()


class Booting(FakePi):
    """After a power cut systemd starts what is enabled."""

    def power_cut(self) -> None:
        super().power_cut()
        boot(self)


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


# --- how far a node has come ------------------------------------------------------------------

OURS = File("/etc/x.d/ours.conf", "ours\n", 0o640, restarts=("x.service",))
BLOCK = MarkedBlock("/etc/hosts", "names", ("10.0.0.1 home.kubepi.internal",))
INSTALLED = (Installed(__file__), *own_files(), ServiceEnabled(RESUME), ServiceRunning(AGENT))
PACKAGES = (AptPackages(("containerd", "iptables", "socat"), KIT), VersionPinned("newest", KIT),
            KubernetesPackages(KIT))  # fmt: skip
RUNTIME = (*PACKAGES, ContainerdConfigured(True), ServiceRunning("containerd.service"),
           ServiceEnabled("kubelet.service"))  # fmt: skip
MASTER = (TokenMade(), *RUNTIME, KubeadmInit(INIT, True))
TO_JOIN = (TokenMade(), *INSTALLED, *RUNTIME)
BOOT = "/boot/firmware"
TOKENS = CmdlineTokens(BOOT, (MEMORY_TOKEN,))
LINES = ConfigTxtLines(BOOT, ("gpu_mem=16",))


def stopped(pi: FakePi) -> None:
    pi.running.discard("kubelet.service")


def of_another_board(pi: FakePi) -> None:
    UniqueIdentity("0000000000000001").apply(pi)


def with_lagging_coredns(pi: FakePi) -> None:
    """kubeadm's last objects come while somebody waits."""
    objects = pi.read(OBJECTS) or ""
    write_durably(pi, OBJECTS, "{}")
    pi.clock.on_sleep.append(lambda: write_durably(pi, OBJECTS, objects))


def without_time(pi: FakePi) -> None:
    pi.put("/run/systemd/timesync/clock", "")


Example = tuple[Step, MakePi]
EXAMPLES: Sequence[Example] = (
    (AptPackages(("containerd", "iptables", "socat"), KIT), after()),
    (KubernetesPackages(KIT), after(*PACKAGES[:2])),
    (PackagesPurged(), after(*PACKAGES)),
    (TOKENS, after(board=PI4)),
    (CmdlineTokensAbsent(BOOT), after(TOKENS, board=PI4)),
    (LINES, after(board=PI4)),
    (ConfigTxtLinesAbsent(BOOT), after(LINES, board=PI4)),
    (CloudInitKeepsNames(), after(BLOCK, board=PI4)),
    (CloudInitRestored(), after(BLOCK, CloudInitKeepsNames(), board=PI4)),
    (ContainerdConfigured(True), after(*PACKAGES)),
    (ImagesImported(KIT), after(*RUNTIME)),
    (OURS, after()),
    (FileRestored(OURS.path), after(OURS)),
    (BLOCK, after()),
    (BlockAbsent(BLOCK.path, BLOCK.label), after(BLOCK)),
    (UniqueIdentity("10000000b5c6d7e8"), after(board=PI4, also=of_another_board)),
    (HostNamed("pi-c6d7e8"), after(board=PI4)),
    (HostNameRestored(), after(HostNamed("pi-c6d7e8"), board=PI4)),
    (Installed(__file__), after()),
    (KubepiGone(), after(*INSTALLED, TokenMade())),
    (KeptRestored(), after(OURS, File("/etc/hostname", "other\n"))),
    (KernelModules(("overlay", "br_netfilter", "vxlan")), after()),
    (Sysctl((("net.ipv4.ip_forward", "1"),)), after()),
    (TimeSane(0.0, patience=5), after(also=without_time)),
    (KubeadmReset(), after(*MASTER)),
    (Left(), after(*TO_JOIN, KubeadmJoin(JOIN, True))),
    (NetworkCleaned(), after(*MASTER)),
    (Manifest("flannel", INIT), after(*MASTER)),
    (DeploymentReady("kube-system", "coredns"), after(*MASTER, also=with_lagging_coredns)),
    (AdminKubeconfig("/root"), after(*MASTER)),
    (ApiNamed(INIT), after()),
    (NetworkManagerIgnores(), after(board=PI4)),
    (AvahiOnlyOn(("eth0",)), after(board=PI4)),
    (AvahiEverywhere(), after(AvahiOnlyOn(("eth0",)), board=PI4)),
    (ServiceEnabled("kubelet.service"), after(*PACKAGES)),
    (ServiceRunning("containerd.service"), after(*PACKAGES, also=lambda pi: pi.running.clear())),
    (ServiceGone(AGENT), after(*INSTALLED)),
    (SwapOff(), after(board=PI4)),
    (SwapRestored(), after(SwapOff(), board=PI4)),
    (TokenMade(), after()),
    (VersionPinned("newest", KIT), after()),
    (ApiReady(), after(*MASTER, also=stopped)),
    (NodeReady(), after(*MASTER, also=stopped)),
    (MasterAnnounced(), after(*MASTER)),
)
# kubeadm is run again only where a check says so.
ONCE: Sequence[Example] = (
    (KubeadmInit(INIT, True), after(TokenMade(), *RUNTIME)),
    (KubeadmJoin(JOIN, True), after(*TO_JOIN)),
)
# Their examples need more than a scene: a web server, a radio, an image registry.
COVERED_THERE = {
    "KubernetesRepository": "steps/test_versions.py",
    "WifiPowerSaveOff": "steps/test_os_network.py",
    "ImagesPulled": "steps/test_containerd.py",
}


def wants_a_reboot(pi: FakePi) -> None:
    state.want_reboot(pi, "a token on the kernel command line")


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
    mine = {type(step).__name__ for step, _ in (*EXAMPLES, *ONCE, *STOPS)}
    assert mine | set(COVERED_THERE) == set(kinds())


@pytest.mark.parametrize("kind", COVERED_THERE)
def test_what_is_covered_elsewhere_is_covered_there(kind: str) -> None:
    text = (TESTS / COVERED_THERE[kind]).read_text()
    assert "obeys(" in text
    assert f"{kind}(" in text


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
def test_steps_are_frozen_dataclasses_with_docstrings(kind: type[Any]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert getattr(kind, "__dataclass_params__").frozen  # noqa: B009 - mypy does not know it
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
def test_the_laws_of_what_is_run_once(step: Step, make_pi: MakePi, tmp_path: Path) -> None:
    obeys(AsRun(step), make_pi, tmp_path)


@pytest.mark.parametrize(("step", "make_pi"), STOPS, ids=name_of)
def test_what_only_a_boot_makes_right_stops_the_plan(
    step: Step, make_pi: MakePi, tmp_path: Path
) -> None:
    pi = make_pi(tmp_path / "pi")
    before = pi.tree()
    assert step.check(pi.read_only()) is not None
    assert pi.tree() == before
    with pytest.raises(KubepiError) as caught:
        step.apply(pi)
    assert caught.value.hint
    assert pi.tree(ignoring=[state.STATE]) == {
        name: entry for name, entry in before.items() if not name.startswith(state.STATE)
    }
    pi.power_cut()
    assert (step.check(pi.read_only()) is None) is isinstance(step, Rebooted)


@pytest.mark.parametrize(("step", "make_pi"), (*EXAMPLES, *ONCE, *STOPS), ids=name_of)
def test_a_step_is_its_fields_and_shows_them_on_one_line(
    step: Step, make_pi: MakePi, tmp_path: Path
) -> None:
    assert dataclasses.is_dataclass(step)
    assert not isinstance(step, type)
    assert dataclasses.replace(step) == step
    assert step != object()
    assert repr(step).startswith(f"{type(step).__name__}(")
    assert "\n" not in f"{step!r}{step.name}"
    assert step.name == step.name.strip() != ""
    token = state.read_secret(make_pi(tmp_path / "pi"), Secret("token"))
    assert token is None or token not in repr(step)
