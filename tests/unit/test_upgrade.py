"""kubepi/decide/upgrade.py: which versions can be reached, and what in a cluster is in the way."""

import pytest

from kubepi.decide.adverts import LONGEST
from kubepi.decide.upgrade import FAILED, OS, cause, choose, in_words, nodes_problem, refused
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


@pytest.mark.parametrize(
    ("said", "package"),
    [
        ("package lab-tool (--configure):\n installed lab-tool package post-", "lab-tool"),
        ("package libc6:arm64 (--configure):\n package libc6:arm64 2.41-12 cannot", "libc6"),
        ("archive /var/cache/apt/archives/runc_1.1.15+ds1-2_arm64.deb (--unpack):\n", "runc"),
    ],
)
def test_where_dpkg_fails_its_package_is_named_before_apts_own_words(
    said: str, package: str
) -> None:
    """apt says only that dpkg failed, dpkg --configure nothing that begins as an error does."""
    apt = "E: Sub-process /usr/bin/dpkg returned an error code (1)\n"
    for end in (apt, ""):
        output = f"Setting up it …\ndpkg: error processing {said}\nErrors were encountered\n{end}"
        assert cause("apt-get failed with code 100:", output) == f"dpkg fails at {package}"


def test_the_cause_in_an_advert_is_whole() -> None:
    """Of a package with a long name, too."""
    said = "dpkg: error processing package linux-image-6.12.47+rpt-rpi-v8 (--configure):\n"
    assert len(f"{FAILED}{cause('', said)}".encode()) <= LONGEST["progress"]


def test_an_upgrade_in_words() -> None:
    assert in_words(OS) == "an upgrade of Debian's packages"
    assert in_words("v1.36.3") == "an upgrade to v1.36.3"
