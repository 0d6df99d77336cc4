"""kubepi/decide/backup.py: names, manifests, what is kept, what a whole snapshot is."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubepi.decide.backup import (
    Manifest,
    Stored,
    file_name,
    is_backup_name,
    next_sequence,
    parse,
    revision_bump,
    snapshot_problem,
    superfluous,
    time_text,
    to_text,
)
from kubepi.errors import KubepiError

WHOLE = Manifest(
    cluster="home", cluster_id="0123abcd", node="pi1", node_id="aa", address="10.0.0.1",
    made=1_800_000_000, sequence=5000, kubepi="0.1", kubernetes="v1.36.3", revision=3, keys=2,
    files={"snapshot.db": Stored("0" * 64, 1056, 0o600)},
)  # fmt: skip


def test_a_manifest_survives_being_written_and_read() -> None:
    assert parse(to_text(WHOLE), "x") == WHOLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "another version of kubepi"),
        ({"files": {}}, "no snapshot"),
        ({"files": None}, "damaged"),
        ({"colour": "red"}, "damaged"),
    ],
)
def test_another_manifest_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(KubepiError, match=words):
        parse(json.dumps({**json.loads(to_text(WHOLE)), **change}), "x")


@given(st.text())
def test_any_text_is_a_manifest_or_an_error(text: str) -> None:
    with pytest.raises(KubepiError):
        parse(text, "x")


def test_a_name_says_whose_and_when() -> None:
    name = file_name("home-2", 1_800_000_000)
    assert name == "kubepi-home-2-20270115T080000Z.tar.gz"
    assert is_backup_name(name)
    assert time_text(WHOLE.made) == "2027-01-15 08:00 UTC"
    for other in ("x.tar.gz", f".{name}.kubepi-new", f"{name}/..", "kubepi-../-1Z.tar.gz"):
        assert not is_backup_name(other)


def test_the_newest_of_each_cluster_stay() -> None:
    names = [file_name(c, 1_800_000_000 + 60 * n) for c in ("a", "a-b") for n in range(4)]
    gone = superfluous(["notes.txt", *names], 3)
    assert gone == [names[0], names[4]]
    assert superfluous(names, 0) == superfluous(names, 1)


@given(st.sets(st.integers(0, 10**6), min_size=1), st.integers(1, 9))
def test_what_is_removed_is_older_than_what_stays(times: set[int], keep: int) -> None:
    names = sorted(file_name("home", 1_800_000_000 + seconds) for seconds in times)
    assert superfluous(names, keep) == names[: max(len(names) - keep, 0)]


def test_a_snapshot_ends_with_the_digest_of_the_rest() -> None:
    body = b"x" * 1024
    end = hashlib.sha256(body).digest()
    assert snapshot_problem(1024 + 32, end, end) is None
    assert "checksum" in (snapshot_problem(1024 + 32, end, end[::-1]) or "")
    assert "size" in (snapshot_problem(1024, end, end) or "")


@given(st.integers(0, 10**8), st.integers(1, 10**8))
def test_each_restore_has_revisions_above_those_of_the_one_before(first: int, later: int) -> None:
    then = WHOLE.made + first
    changes = 10_000 * later
    assert revision_bump(WHOLE, then + later) > revision_bump(WHOLE, then) + changes


@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_each_restore_speaks_above_all_that_was_said_before(first: int, later: int) -> None:
    """The life after the first restore says at most one advert a second, and a block of numbers."""
    then = WHOLE.made + first
    one = next_sequence(WHOLE, then, 0)
    assert one > WHOLE.sequence
    last_said = one + later + 1
    assert next_sequence(WHOLE, then + later + 2, 0) > last_said
