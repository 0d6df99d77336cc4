"""kubepi restore, up to the first change: what it refuses, and the goal it makes of a backup."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.commands import restore
from kubepi.commands.restorable import kept_in, refuse, refuse_heard, tokens_of
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.backup import Manifest
from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import Secret
from kubepi.decide.peerbook import Peer, hear
from kubepi.decide.rotation import Tokens
from kubepi.errors import KubepiError, PreflightFailed, UsageError
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import etcd_data, rotation, state
from kubepi.machine.archive import verify
from kubepi.machine.backups import BACKUPS
from kubepi.machine.restoring import content_of, lay_out
from kubepi.steps.backups import CLUSTER_ID, BackupMade
from tests.fakes import FakePi
from tests.scene import KIT, TOKEN, fresh_pi, init_goal, join_goal
from tests.steps.test_backups import NAMES, with_etcd
from tests.unit.test_bolt import database

FILE = f"{BACKUPS}/{NAMES[0]}"


def the_master(folder: Path) -> tuple[FakePi, Path, Manifest]:
    pi = with_etcd(folder)
    pi.put(f"{etcd_data.MEMBER}/wal/0.wal", "entries")
    pi.path(etcd_data.DATABASE).write_bytes(database().ljust(100 * 4096, b"\0"))
    BackupMade(NAMES[0]).apply(pi)
    return pi, pi.path(FILE), verify(pi.path(FILE))


def test_a_cluster_that_runs_is_not_restored_by_itself(tmp_path: Path) -> None:
    pi, source, manifest = the_master(tmp_path / "pi")
    with pytest.raises(PreflightFailed, match="the cluster runs") as caught:
        refuse(pi, manifest, source, force=False)
    assert "--force" in caught.value.hint
    refuse(pi, manifest, source, force=True)


@pytest.mark.parametrize("word", ["ready", "upgrading", "starting"])
@pytest.mark.parametrize("force", [False, True])
def test_beside_another_master_nothing_is_restored_even_by_force(
    word: str, force: bool, tmp_path: Path
) -> None:
    pi, source, manifest = the_master(tmp_path / "pi")
    other = replace(MASTER, node="pi8", node_id="bb", state=word)
    pi.put(PEERS, json.dumps(to_json({"bb": Peer(other, True, pi.monotonic())})))
    with pytest.raises(PreflightFailed, match=r"the cluster runs, and has .*: pi8") as caught:
        refuse(pi, manifest, source, force=force)
    assert "join --role master" in caught.value.hint
    pi.running.discard("kubelet.service")  # and no API answers: two of etcd's halves
    with pytest.raises(PreflightFailed, match="a master of this cluster is heard: pi8") as caught:
        refuse(pi, manifest, source, force=force)
    assert "switch pi8 off" in caught.value.hint


def test_a_worker_with_a_newer_token_tells_that_it_was_changed(tmp_path: Path) -> None:
    """All masters are off; those of the newer token would not believe this one."""
    _, _, manifest = the_master(tmp_path / "pi")
    worker = Advert(node="pi8", node_id="bb", cluster_id=manifest.cluster_id, role="worker")
    book = hear({}, encode(worker, advert_key("the new one")), advert_key(TOKEN), "", 0.0)
    with pytest.raises(PreflightFailed, match="heard with another token: pi8"):
        refuse_heard(book, manifest, "", force=False)
    refuse_heard(book, manifest, "", force=True)


def test_data_that_still_opens_is_not_given_up(tmp_path: Path) -> None:
    pi, source, manifest = the_master(tmp_path / "pi")
    pi.running.discard("kubelet.service")
    with pytest.raises(PreflightFailed, match="etcd's data looks whole"):
        refuse(pi, manifest, source, force=False)
    pi.path(etcd_data.DATABASE).write_bytes(b"cut off")
    refuse(pi, manifest, source, force=False)
    pi.path(etcd_data.DATABASE).unlink()
    refuse(pi, manifest, source, force=False)


def test_another_node_keeps_its_role(tmp_path: Path) -> None:
    _, source, manifest = the_master(tmp_path / "pi")
    other = fresh_pi(tmp_path / "other")
    other.put(state.NODE_ID, "bb\n")
    for goal, cluster in ((join_goal(), manifest.cluster_id), (init_goal(), "ffffffff")):
        state.save_goal(other, goal)
        other.put(CLUSTER_ID, cluster)
        with pytest.raises(PreflightFailed, match=f"is a {goal.role} of") as caught:
            refuse(other, manifest, source, force=True)
        assert "kubepi reset" in caught.value.hint


def test_a_cluster_that_is_not_kubepis_is_left_alone(tmp_path: Path) -> None:
    _, source, manifest = the_master(tmp_path / "pi")
    other = fresh_pi(tmp_path / "other")
    other.put("/etc/kubernetes/kubelet.conf", "somebody's")
    with pytest.raises(PreflightFailed, match="kubepi did not make"):
        refuse(other, manifest, source, force=True)


MASTER = Advert(node="pi7", node_id="aa", address="10.0.0.7", role="master", state="ready")


@pytest.mark.parametrize(
    ("advert", "token"),
    [
        (MASTER, "the new one"),
        (replace(MASTER, node_id="bb", ca_hash="sha256:11"), "the new one"),
        (replace(MASTER, node_id="bb"), TOKEN),
    ],
    ids=["the same id", "the same CA", "the same token"],
)
def test_a_master_that_lives_is_seen_whatever_its_token_is(
    advert: Advert, token: str, tmp_path: Path
) -> None:
    """The backup may be of before a change of the token."""
    _, _, manifest = the_master(tmp_path / "pi")
    manifest = replace(manifest, node_id="aa")
    book = hear({}, encode(advert, advert_key(token)), advert_key(TOKEN), "", 0.0)
    with pytest.raises(PreflightFailed, match="there must not be two") as caught:
        refuse_heard(book, manifest, "sha256:11", force=False)
    if token == TOKEN:
        with pytest.raises(PreflightFailed):
            refuse_heard(book, manifest, "sha256:11", force=True)
    else:
        assert "--token-file" in caught.value.hint
        refuse_heard(book, manifest, "sha256:11", force=True)


def test_another_clusters_master_is_in_nobodys_way(tmp_path: Path) -> None:
    _, _, manifest = the_master(tmp_path / "pi")
    for advert in (replace(MASTER, node_id="bb"), replace(MASTER, node_id="bb", ca_hash="else")):
        book = hear({}, encode(advert, advert_key("else")), advert_key(TOKEN), "", 0.0)
        refuse_heard(book, replace(manifest, node_id="aa"), "sha256:11", force=False)
        refuse_heard(book, replace(manifest, node_id="aa"), "", force=False)


def test_it_is_listened_for_with_all_tokens_that_the_cluster_may_have(tmp_path: Path) -> None:
    pi, source, _ = the_master(tmp_path / "pi")
    of_backup = state.read_secret(pi, Secret("token"))
    other = fresh_pi(tmp_path / "other")
    kept = kept_in(source)
    assert tokens_of(other, kept, None) == [of_backup]
    state.save_secret(other, Secret("token"), "its own one")
    assert tokens_of(other, kept, "the new one") == [of_backup, "its own one", "the new one"]


def test_a_given_token_comes_in_the_place_of_the_backups(tmp_path: Path) -> None:
    pi, _, _ = the_master(tmp_path / "pi")
    rotation.save(pi, Tokens("the second one", 2, TOKEN, frozenset({"bb"})))
    BackupMade(NAMES[1]).apply(pi)
    source, name = pi.path(f"{BACKUPS}/{NAMES[1]}"), state.secret_file(Secret("token"))
    board = fresh_pi(tmp_path / "board")
    lay_out(board, source)
    assert content_of(board, name) == b"the second one\n"
    assert content_of(board, rotation.FILE) is not None
    lay_out(board, source, "the third one")
    assert content_of(board, name) == b"the third one\n"
    assert content_of(board, rotation.FILE) is None
    lay_out(board, source, "the second one")
    assert content_of(board, rotation.FILE) is not None


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    restore.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("words", [(), ("x.tar.gz", "--from", "pi2")])
def test_one_source_has_to_be_named(words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FILE, --from"):
        restore.run(asked(*words), fresh_pi(tmp_path / "pi"))


def test_a_damaged_file_changes_nothing(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    before = pi.tree()
    (tmp_path / "x.tar.gz").write_bytes(b"half")
    with pytest.raises(KubepiError, match="damaged"):
        restore.run(asked(str(tmp_path / "x.tar.gz")), pi)
    assert pi.tree() == before


def test_a_dry_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi, source, _ = the_master(tmp_path / "pi")
    before = pi.tree()
    assert restore.run(asked(str(source), "--force", "--dry-run"), pi) == 0
    assert pi.tree() == before
    assert "would restore pi7 of" in capsys.readouterr().out


def test_without_a_yes_nothing_that_opens_is_given_up(tmp_path: Path) -> None:
    pi, source, _ = the_master(tmp_path / "pi")
    before = pi.tree()
    with pytest.raises(UsageError, match="not confirmed"):
        restore.run(asked(str(source), "--force"), pi)
    assert pi.tree() == before


def test_the_goal_is_that_of_the_master_as_far_as_it_fits_this_pi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, whatever this board is called; no address and no kit that are not here."""
    monkeypatch.delenv("KUBEPI_KIT", raising=False)
    pi, source, manifest = the_master(tmp_path / "pi")
    data = json.loads(pi.read(state.GOAL) or "")
    assert (data["settings"]["node.address"], data["settings"]["downloads.kit"]) == (
        "10.0.0.7", KIT
    )  # fmt: skip
    board = fresh_pi(tmp_path / "board", "pi4b-trixie")
    lay_out(board, source)
    goal = restore._goal(asked(str(source)), board, manifest, None)
    assert (goal.verb, goal.role) == ("restore", "master")
    assert goal.settings["node.name"] == "pi7"
    assert goal.settings["node.address"] == ""
    assert goal.settings["downloads.kit"] == KIT
    board.path(f"{KIT}/bundle.yaml").unlink()
    other = restore._goal(asked(str(source), "--address", "10.0.0.8"), board, manifest, None)
    assert (other.settings["node.address"], other.settings["downloads.kit"]) == ("10.0.0.8", "")
    assert replace(other, settings={}).flagged == ("node.address", "node.name")
