"""machine/pyz.py, commands/replacing.py, agent/taking.py: another kubepi, here and on all nodes."""

import argparse
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from kubepi import BUILT, VERSION
from kubepi.agent.taking import NEW, take
from kubepi.commands.replacing import hand_on, let_it_go_on, replace_self
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.decide.wish import parse_wish
from kubepi.errors import KubepiError, PreflightFailed, StepFailed, UsageError
from kubepi.lan.depot import Thing
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.pyz import read_pyz
from kubepi.steps.install import FILE
from tests.fakes import FakePi
from tests.scene import TOKEN, give_token, init_goal
from tests.unit.test_depot import pi_of, serving


def archive(file: Path, version: str = VERSION, built: float = BUILT) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("kubepi/__init__.py", f'VERSION = "{version}"\n# text\nBUILT = {built}\n')
    return file


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    (tmp_path / "root").mkdir()
    pi = FakePi(tmp_path / "root")
    archive(pi.path(FILE))
    said = (0, f"kubepi {VERSION}")
    pi.looks("/usr/bin/python3", script=lambda pi, argv, stdin: said)
    return pi


def typed(file: Path, force: bool = False, here: bool = False) -> argparse.Namespace:
    return argparse.Namespace(kubepi=str(file), force=force, here=here, yes=True, dry_run=False)


def test_what_a_file_is(tmp_path: Path) -> None:
    found = read_pyz(archive(tmp_path / "kubepi.pyz", "1.2.3", 1_800_000_000.0))
    assert (found.version, found.built, len(found.sha256)) == ("1.2.3", 1_800_000_000.0, 64)
    assert found.age > read_pyz(archive(tmp_path / "old.pyz", "1.2.3", 1_700_000_000.0)).age
    assert found.age < read_pyz(archive(tmp_path / "new.pyz", "1.10.0", 1_700_000_000.0)).age


def test_what_is_no_kubepi_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with zipfile.ZipFile(tmp_path / "other", "w") as packed:
        packed.writestr("other.py", "")
    damaged = archive(tmp_path / "damaged")
    damaged.write_bytes(damaged.read_bytes().replace(b"# text", b"# tixt"))
    for name in ("text", "other", "damaged", "absent"):
        with pytest.raises(UsageError, match=name):
            read_pyz(tmp_path / name)


def test_an_older_one_only_by_force(pi: FakePi, tmp_path: Path) -> None:
    older = archive(tmp_path / "older.pyz", VERSION, BUILT - 1)
    with pytest.raises(PreflightFailed, match="older than the one that is here"):
        replace_self(typed(older), pi)
    pi.changes("/usr/bin/python3", script=lambda pi, argv, stdin: (0, ""))
    pi.looks("/usr/bin/python3", "-I", str(older), "--version",
             script=lambda pi, argv, stdin: (0, f"kubepi {VERSION}"))  # fmt: skip
    assert replace_self(typed(older, force=True), pi) == 0
    assert pi.ran[-1][2:] == (str(older), "upgrade", "--self", str(older), "--here", "--force")


def test_one_that_does_not_run_here_is_refused(pi: FakePi, tmp_path: Path) -> None:
    new = archive(tmp_path / "new.pyz")
    pi.looks("/usr/bin/python3", script=lambda pi, argv, stdin: (1, "SyntaxError"))
    with pytest.raises(UsageError, match=r"(?s)does not run on this Pi.*SyntaxError"):
        replace_self(typed(new), pi)
    assert pi.ran == []


def test_the_new_one_goes_on_with_its_own_plan(pi: FakePi) -> None:
    let_it_go_on(pi)
    assert pi.ran == [], "in no cluster there is none"
    state.save_goal(pi, init_goal())
    pi.changes("systemctl", script=lambda pi, argv, stdin: (0, ""))
    pi.clock.on_sleep.append(lambda: state.mark_reached(pi))
    let_it_go_on(pi)
    assert pi.ran == [("systemctl", "start", "--no-block", "kubepi-resume.service")]
    pi.clock.on_sleep.clear()
    with pytest.raises(StepFailed, match="the new kubepi"):
        let_it_go_on(pi)


# --- the other nodes ------------------------------------------------------------------------

NODE = Advert(node="pi2", node_id="2", address="127.77.9.2", role="worker", state="ready")


class Member(FakePi):
    """Of a cluster with one other node; each request that it makes is another one."""

    def random(self, label: str, length: int) -> bytes:
        self.random_made[label] = self.random_made.get(label, 0) + 1
        return super().random(label, length)


@pytest.fixture
def member(tmp_path: Path) -> FakePi:
    (tmp_path / "root").mkdir()
    pi = Member(tmp_path / "root")
    archive(pi.path(FILE))
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    pi.put(PEERS, json.dumps(to_json({"2": Peer(NODE, True, pi.monotonic())})))
    pi.changes("/usr/bin/python3", script=lambda pi, argv, stdin: (0, ""))
    pi.changes("systemd-run", script=lambda pi, argv, stdin: (0, ""))
    return pi


@pytest.fixture
def newer(member: FakePi, tmp_path: Path) -> Path:
    file = archive(tmp_path / "newer.pyz", VERSION, BUILT + 1)
    member.looks("/usr/bin/python3", "-I", str(file), "--version",
                 script=lambda pi, argv, stdin: (0, f"kubepi {VERSION}"))  # fmt: skip
    return file


@contextmanager
def node(folder: Path, things: dict[str, Thing]) -> Iterator[None]:
    with serving(pi_of(folder / "node", TOKEN), things.get, NODE.address):
        yield


def said(file: Path) -> bytes:
    return json.dumps(asdict(read_pyz(file))).encode()


def test_all_nodes_get_it_once_it_runs_here(
    member: FakePi, newer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    things: dict[str, Thing] = {"kubepi": said(member.path(FILE))}
    wished: list[str] = []

    def it_obeys() -> None:
        wished.append(member.read(state.WISH) or "")
        assert member.ran[-1][-1] == "--here"
        things["kubepi"] = said(newer)

    member.clock.on_sleep.append(it_obeys)
    with node(tmp_path, things):
        assert replace_self(typed(newer), member) == 0
        assert capsys.readouterr().out == "pi2 has it too.\n"
        found = parse_wish(wished[0])
        assert found is not None
        assert (found.verb, found.targets) == ("take-kubepi", ("pi2",))
        assert read_pyz(newer).sha256.startswith(found.about)
        assert len(wished) == 1
        assert not member.exists(state.WISH)
        assert replace_self(typed(newer), member) == 0
    assert capsys.readouterr().out == "", "it has it already"
    assert replace_self(typed(newer, here=True), member) == 0


def test_a_node_with_a_newer_one_is_asked_before(
    member: FakePi, newer: Path, tmp_path: Path
) -> None:
    newest = archive(tmp_path / "newest.pyz", VERSION, BUILT + 2)
    with (
        node(tmp_path, {"kubepi": said(newest)}),
        pytest.raises(PreflightFailed, match="older than that of pi2"),
    ):
        replace_self(typed(newer), member)
    assert member.ran == []


def test_a_node_that_does_not_take_it_is_named(
    member: FakePi, newer: Path, tmp_path: Path
) -> None:
    with (
        node(tmp_path, {"kubepi": said(member.path(FILE))}),
        pytest.raises(StepFailed, match="for pi2 to take it; last seen: it has") as caught,
    ):
        hand_on(member, "pi2", NODE.address, read_pyz(newer))
    assert "on pi2 says more" in caught.value.hint
    assert not member.exists(state.WISH)


def test_what_was_wished_for_is_taken_and_nothing_else(
    member: FakePi, newer: Path, tmp_path: Path
) -> None:
    with node(tmp_path, {"kubepi.pyz": newer}):
        with pytest.raises(KubepiError, match="has another kubepi meanwhile"):
            take(member, NODE.address, "0" * 32)
        assert not member.exists(NEW)
        assert member.ran == []
        take(member, NODE.address, read_pyz(newer).sha256[:32])
    assert member.read_bytes(NEW) == newer.read_bytes()
    assert member.ran[-1][0] == "systemd-run"
    assert member.ran[-1][-1] == str(member.path(NEW))
