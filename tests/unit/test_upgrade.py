"""kubepi/decide/upgrade.py: which versions can be reached, and what in a cluster is in the way."""

import pytest

from kubepi.decide.upgrade import cause, choose, nodes_problem, refused
from kubepi.errors import PreflightFailed

KIT = ("v1.35.4", "v1.36.3")


@pytest.mark.parametrize(
    ("own", "target", "word"),
    [
        ("v1.35.4", "v1.36.3", None),
        ("v1.35.4", "v1.35.9", None),
        ("v1.35.10", "v1.36.0", None),
        ("v1.36.3", "v1.36.3", None),
        ("v1.36.3", "v1.35.4", "no way back"),
        ("v1.36.10", "v1.36.9", "no way back"),
        ("v1.35.4", "v1.37.1", "skipped"),
        ("v1.37.1", "v2.38.0", "skipped"),
        ("v1.37.1", "v1.38.0", "does not know"),
    ],
)
def test_what_can_be_reached(own: str, target: str, word: str | None) -> None:
    found = refused(own, target)
    assert (found is None) if word is None else (found is not None and word in found[0])


def test_a_skipped_minor_names_the_one_between() -> None:
    found = refused("v1.35.4", "v1.37.1")
    assert found is not None
    assert found[1] == "first: sudo kubepi upgrade v1.36"


@pytest.mark.parametrize(
    ("offered", "wanted", "own", "chosen"),
    [
        (KIT, "newest", "v1.35.4", "v1.36.3"),
        ((*KIT, "v1.37.1"), "newest", "v1.35.4", "v1.36.3"),
        ((*KIT, "v1.35.11"), "1.35", "v1.35.4", "v1.35.11"),
        (KIT, "v1.36", "v1.35.4", "v1.36.3"),
        (KIT, "1.36.3", "v1.36.3", "v1.36.3"),
        ((), "newest", "v1.36.3", "v1.36.3"),
        (("v1.35.4",), "newest", "v1.36.3", "v1.36.3"),
    ],
)
def test_the_newest_in_reach_is_chosen(
    offered: tuple[str, ...], wanted: str, own: str, chosen: str
) -> None:
    assert choose(offered, wanted, own) == chosen


@pytest.mark.parametrize(
    ("wanted", "own", "words"),
    [
        ("1.35", "v1.36.3", "v1.35.4 is older than v1.36.3"),
        ("v1.35.1", "v1.36.3", "no way back"),
        ("1.37", "v1.35.4", "there is no Kubernetes 1.37 to upgrade to"),
        ("v1.37.1", "v1.35.4", "would be skipped"),
        ("banana", "v1.35.4", "there is v1.35.4, v1.36.3"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(wanted: str, own: str, words: str) -> None:
    with pytest.raises(PreflightFailed) as caught:
        choose(KIT, wanted, own)
    assert words in caught.value.sentence
    assert caught.value.hint


def test_the_cluster_has_to_be_well_and_together() -> None:
    versions = {"pi1": "v1.36.3", "pi2": "v1.35.4"}
    assert nodes_problem(versions, {}, "v1.36.4") is None
    told = nodes_problem(versions, {}, "v1.37.1")
    assert told is not None
    assert told[0] == "pi2 is still v1.35.4"
    told = nodes_problem(versions, {}, "v1.36.2")
    assert told == ("pi1 is v1.36.3 already", "sudo kubepi upgrade v1.36.3")
    told = nodes_problem(versions, {"pi2": "no network"}, "v1.36.4")
    assert told is not None
    assert told[0] == "pi2 is not Ready: no network"


def test_the_cause_of_a_failure_in_a_line() -> None:
    said = "[upgrade] looks\n\t[ERROR CreateJob]: Job did not complete\nerror: phase preflight"
    told = "CreateJob: Job did not complete"
    assert cause("kubeadm failed with code 1:\n  # kubeadm", said) == told
    assert cause("apt-get failed with code 100:", "E: no room\n") == "no room"
    assert cause("waited 600 s for the API\nlast seen: x", "") == "waited 600 s for the API"
    assert cause("kubeadm failed with code 1:\n x", "panic") == "kubeadm failed with code 1"
