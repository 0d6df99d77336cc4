"""kubepi/decide/fitness.py: who is fit to be the master, and who is fitter."""

from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.decide.facts import Facts, Network, Storage
from kubepi.decide.fitness import rank, role_of, why_unfit
from kubepi.machine.facts import look
from kubepi.machine.host import ReadOnlyHost
from tests.scene import settings

BOARDS = Path(__file__).parents[1] / "boards"
CARD = Storage("SD card")
CABLE = Network("eth0", "10.0.0.7", 24, False, "10.0.0.1", "")
WIFI = replace(CABLE, interface="wlan0", is_wireless=True)
NOW = 2e9
ALONE = settings(node__address="")


@pytest.fixture
def pi() -> Facts:
    found = look(ReadOnlyHost(BOARDS / "pi4b-trixie" / "root"))
    return replace(found, memory_mb=4000, cpus=4, storage=CARD, network=CABLE)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"memory_mb": 4000}, {"memory_mb": 900, "storage": Storage("NVMe")}),
        ({"storage": Storage("USB"), "network": WIFI}, {"storage": CARD}),
        ({"storage": Storage("NVMe")}, {"storage": Storage("eMMC")}),
        ({"network": CABLE}, {"network": WIFI}),
        ({"network": CABLE}, {"network": None}),
    ],
)
def test_what_is_fitter(pi: Facts, better: dict[str, object], worse: dict[str, object]) -> None:
    one, other = (
        rank(replace(pi, **changes), ALONE, "a", 1.0)  # type: ignore[arg-type]
        for changes in (better, worse)
    )
    assert one > other


def test_of_two_alike_the_one_that_writes_faster_is_fitter(pi: Facts) -> None:
    assert rank(pi, ALONE, "a", 0.8) > rank(pi, ALONE, "a", 12.5) > rank(pi, ALONE, "a", None)
    assert rank(pi, ALONE, "a", 1e9) == rank(pi, ALONE, "a", None)


def test_a_configured_master_is_before_all_others(pi: Facts) -> None:
    slow = replace(pi, memory_mb=900, network=WIFI)
    wanted = settings(node__role="master")
    assert rank(slow, wanted, "a", None) > rank(replace(pi, storage=Storage("NVMe")), ALONE, "b", 0)


@pytest.mark.parametrize(
    ("masters", "role", "name", "expected"),
    [
        ([], "auto", "a", "auto"),
        ([], "worker", "a", "worker"),
        (["a"], "auto", "a", "master"),
        (["a"], "master", "b", "worker"),
        (3, "auto", "a", "auto"),
        (3, "worker", "a", "worker"),
    ],
)
def test_the_role_that_the_config_gives(
    masters: list[str] | int, role: str, name: str, expected: str
) -> None:
    assert role_of(settings(cluster__masters=masters, node__role=role), name) == expected


def test_a_fit_pi_may_propose_itself(pi: Facts) -> None:
    assert why_unfit(pi, ALONE, "a", NOW, 0) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"memory_mb": 900}, "900 MB of memory, a master needs 1700 MB"),
        ({"cpus": 1}, "1 processor, a master needs 2"),
        ({"network": None}, "no network with a default route"),
    ],
)
def test_who_cannot_be_a_master_never_proposes_itself(
    pi: Facts, changes: dict[str, object], reason: str
) -> None:
    unfit = replace(pi, **changes)  # type: ignore[arg-type]
    assert why_unfit(unfit, ALONE, "a", NOW, 0) == reason


def test_what_is_waived_is_no_reason(pi: Facts) -> None:
    small = replace(pi, memory_mb=900)
    assert why_unfit(small, {**ALONE, "preflight.ignore": ["memory"]}, "a", NOW, 0) is None


def test_a_worker_by_configuration_never_proposes_itself(pi: Facts) -> None:
    wanted = settings(node__role="worker")
    assert why_unfit(pi, wanted, "a", NOW, 0) == "the configuration makes it a worker"
