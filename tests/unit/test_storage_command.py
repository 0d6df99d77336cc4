"""kubepi storage show and check: what they tell, and what they ask the others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kubepi.commands import storage
from kubepi.errors import NoGoal
from kubepi.machine import state
from kubepi.report.storage import bytes_text, look_at_share, room_of
from tests.fakes import Answer, FakePi
from tests.scene import fresh_pi, join_goal
from tests.share_scene import (
    GOAL,
    SHARE,
    hears,
    serving_master,
    typed,
    worker,
)


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return serving_master(tmp_path / "pi")


# --- show ---------------------------------------------------------------------------------


def test_show_tells_server_room_mounts_and_claims(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    hears(pi, worker("pi8"), worker("pi9", ""))
    assert storage.show(pi.read_only(), GOAL, False) == 0
    said = capsys.readouterr().out
    assert "10.0.0.7:/srv/kubepi, served by pi7" in said
    assert "/mnt/kubepi on pi7, pi8" in said
    assert "not yet on pi9" in said
    assert "48.0 GB free of 64.0 GB" in said
    assert "default/data  1Gi    /mnt/kubepi/default/data  web-1" in said
    assert not pi.ran, "it only looks"


def test_show_for_programs(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    assert storage.show(pi.read_only(), GOAL, True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["claims"][0]["pods"] == ["web-1"]
    assert shown["room"] == {"size": 64000000000, "free": 48000000000}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((0, "1B-blocks Avail\n1000000000 4096\n"), "is full: 4.1 kB of 1.0 GB are free"),
        ((124, ""), "the server pi7 (10.0.0.7) does not answer"),
        ((1, "df: Stale file handle"), "cannot be read: df: Stale file handle"),
    ],
)
def test_an_ailing_share_is_named(
    answer: Answer, told: str, pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    pi.looks("df", script=lambda pi, argv, stdin: answer)
    assert told in room_of(pi, SHARE, "pi7")[1]
    assert storage.show(pi.read_only(), GOAL, False) == 1
    assert told in capsys.readouterr().out


def test_a_pi_in_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(NoGoal):
        storage.run(typed("show"), fresh_pi(tmp_path / "fresh"))


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (48_000_000_000, "48.0 GB"),
     (123_400_000, "123 MB"), (9 * 10**15, "9000 TB")],
)  # fmt: skip
def test_sizes_are_read_as_on_the_box_of_a_disk(count: int, text: str) -> None:
    assert bytes_text(count) == text


def test_a_server_that_is_off_since_the_boot_has_its_name_still(pi: FakePi) -> None:
    state.save_goal(pi, join_goal())
    pi.put(state.SHARE, "10.0.0.9:/srv/kubepi /mnt/kubepi\n")
    pi.looks("df", script=lambda pi, argv, stdin: (124, ""))
    storage = look_at_share(pi, join_goal())
    assert storage is not None
    assert "the server outside the cluster (10.0.0.9) does not answer" in storage.ailment
    pi.put(state.KNOWN, json.dumps({"aa": ["attic", "10.0.0.9"]}))
    storage = look_at_share(pi, join_goal())
    assert storage is not None
    assert storage.server == "attic"


# --- check --------------------------------------------------------------------------------


def answering(pi: FakePi, node: str) -> Callable[[], None]:
    """Another node's agent: it sees the wish, and leaves its result in the share."""

    def hook() -> None:
        number = (pi.read(state.WISH) or "").partition(" ")[0]
        found = {"node": node, "why": "", "seconds": 0.25}
        pi.put(f"/mnt/kubepi/.kubepi-check/{number}-{node}.json", json.dumps(found))

    return hook


def test_check_asks_every_node(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    pi.clock.on_sleep.append(answering(pi, "pi8"))
    assert storage.run(typed("check"), pi) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["pi7", "pi8"]
    assert "0.25 s" in said[1]
    assert not pi.exists(state.WISH)
    assert not pi.listdir("/mnt/kubepi/.kubepi-check")


def test_a_node_that_cannot_write_is_named(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert storage.run(typed("check"), pi) == 1
    assert "pi8: no result within 60 s" in capsys.readouterr().out


def test_an_own_failure_is_told_as_it_is(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    pi.changes("sh", "-ec", script=lambda pi, argv, stdin: (1, "cp: No space left on device"))
    assert storage.run(typed("check"), pi) == 1
    assert "pi7: cp: No space left on device" in capsys.readouterr().out
