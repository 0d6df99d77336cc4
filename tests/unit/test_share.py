"""kubepi/decide/share.py: the share as text, who serves it, its units."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide import share as texts
from kubepi.decide.adverts import LONGEST, Advert
from kubepi.decide.mounts import unit_name
from kubepi.decide.peerbook import Peer
from kubepi.decide.share import Own, Share, parse_share, wanted_share
from kubepi.decide.values import Wrong
from kubepi.decide.votes import Vote, write_vote
from kubepi.errors import NotYet
from tests.scene import init_goal, join_goal, join_master_goal

SHARE = Share("10.0.0.1", "/srv/kubepi", "/mnt/kubepi")
OWN = Own("pi7", "10.0.0.7")
ATTIC = Advert(node="attic", node_id="aa", address="10.0.0.9", role="worker", state="ready")
MASTER = Advert(
    node="pi1", node_id="bb", address="10.0.0.1", role="master", state="ready",
    ca_hash="sha256:" + "0" * 64, endpoint="home.kubepi.internal:6443", share=str(SHARE),
)  # fmt: skip


def book(*adverts: Advert, trusted: bool = True) -> dict[str, Peer]:
    return {advert.node_id: Peer(advert, trusted, 0.0) for advert in adverts}


# --- who serves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "address"),
    [("master", "10.0.0.7"), ("pi7", "10.0.0.7"), ("attic", "10.0.0.9"), ("10.9.9.9", "10.9.9.9")],
)
def test_a_master_names_the_server(server: str, address: str) -> None:
    goal = init_goal(storage__nfs__server=server)
    assert wanted_share(goal, book(ATTIC), OWN, 0.0) == replace(SHARE, address=address)


def test_a_master_waits_for_the_node_that_is_to_serve() -> None:
    goal = init_goal(storage__nfs__server="attic")
    for heard in (book(), book(ATTIC, trusted=False)):
        with pytest.raises(NotYet, match="attic"):
            wanted_share(goal, heard, OWN, 0.0)


def test_none_is_none() -> None:
    assert wanted_share(init_goal(storage__nfs__server="none"), {}, OWN, 0.0) is None


def test_a_worker_goes_by_its_masters_word() -> None:
    goal = join_goal(storage__nfs__path="/elsewhere")
    assert wanted_share(goal, book(MASTER, ATTIC), OWN, 0.0) == SHARE
    assert wanted_share(goal, book(replace(MASTER, share="")), OWN, 0.0) is None
    with pytest.raises(NotYet, match="a master"):
        wanted_share(goal, book(ATTIC), OWN, 0.0)


def test_of_several_masters_the_one_that_made_the_cluster_names_it() -> None:
    first = replace(MASTER, node="pi9", ca_hash="sha256:1", vote=write_vote(Vote(master="bb")))
    further = replace(first, node="pi2", node_id="dd", share="")
    for goal in (join_goal(), join_master_goal()):
        assert wanted_share(goal, book(further, first), OWN, 0.0) == SHARE
        # as long as it is away, the others name what they follow
        assert wanted_share(goal, book(replace(further, share=str(SHARE))), OWN, 0.0) == SHARE


# --- text ---------------------------------------------------------------------------------


def test_an_advert_carries_it_whole() -> None:
    assert parse_share(str(SHARE)) == SHARE
    long = Share("192.168.100.200", "/" + "p" * 39, "/" + "m" * 39)
    assert len(str(long)) <= LONGEST["share"]


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1:/srv", "10.0.0.1:/srv mnt", "10.0.0.1:/srv /mnt/a /b", "pi1:/srv /mnt/a",
     "10.0.0.300:/srv /mnt/a", "10.0.0.1:/etc /mnt/a", "10.0.0.1:/srv /mnt/../etc",
     "10.0.0.1:/srv /mnt/$(reboot)", "10.0.0.1:/s\n /mnt/a"],
)  # fmt: skip
def test_what_no_kubepi_says_is_no_share(text: str) -> None:
    assert parse_share(text) is None


@given(st.text(max_size=120))
def test_any_text_is_a_share_or_none(text: str) -> None:
    found = parse_share(text)
    assert found is None or parse_share(str(found)) == found


@pytest.mark.parametrize("path", ["/", "srv", "/etc/x", "/srv/a b", "/srv/" + "a" * 40, "/srv/.."])
def test_a_folder_that_cannot_be_shared(path: str) -> None:
    with pytest.raises(Wrong):
        texts.share_folder(path)


@pytest.mark.parametrize("disk", ["/dev/sda", "sda", "/dev/disk/by-id/../sda", "/dev/disk/by-id/"])
def test_a_disk_without_a_stable_id(disk: str) -> None:
    with pytest.raises(Wrong, match="stable id"):
        texts.stable_disk(disk)


@pytest.mark.parametrize(
    ("path", "unit"),
    # systemd-escape --path --suffix=mount, of systemd 257
    [("/mnt/kubepi", "mnt-kubepi.mount"), ("/srv/my-share", "srv-my\\x2dshare.mount"),
     ("/srv/a_b.c", "srv-a_b.c.mount")],
)  # fmt: skip
def test_units_are_named_as_systemd_does(path: str, unit: str) -> None:
    assert unit_name(path, "mount") == unit


# --- what is written ----------------------------------------------------------------------


def test_a_server_mounts_no_nfs_of_its_own() -> None:
    assert "Type=none\nOptions=bind" in texts.own_mount(SHARE)
    assert f"What={SHARE.path}" in texts.own_mount(SHARE)
    assert "What=10.0.0.1:/srv/kubepi\n" in texts.client_mount(SHARE)
    assert "hard" in texts.client_mount(SHARE)


def test_an_export_is_for_the_own_subnet_and_the_same_for_every_disk() -> None:
    folder = texts.exports("/srv/kubepi", "10.0.0.0/24", False)
    disk = texts.exports("/srv/kubepi", "10.0.0.0/24", True)
    assert folder.startswith("/srv/kubepi 10.0.0.0/24(")
    assert "mountpoint" in disk
    assert "mountpoint" not in folder
    number = f"fsid={texts.fsid('/srv/kubepi')}"
    assert number in folder
    assert number in disk
    assert texts.fsid("/srv/kubepi") != texts.fsid("/srv/other")
