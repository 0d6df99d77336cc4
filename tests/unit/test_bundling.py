"""kubepi/commands/bundling.py: parts of all nodes in one archive; who does not answer is named."""

import tarfile
from pathlib import Path

import pytest

from kubepi.agent.things import OWN_PART, find_thing
from kubepi.commands.bundling import bundle
from kubepi.decide.adverts import Advert
from kubepi.decide.peerbook import Peer
from kubepi.lan.depot import SUPPORT, Thing
from kubepi.lan.peers import PEERS, to_json
from kubepi.machine import state
from kubepi.machine.bundles import write_bundle
from kubepi.steps.install import FILE
from tests.fakes import FakePi
from tests.unit.test_depot import SERVER, pi_of, serving

NOBODY = "127.77.0.250"


def knows(pi: FakePi, **nodes: str) -> None:
    book = {
        name: Peer(Advert(node=name, node_id=name, address=address), name != "stranger", 0.0, "")
        for name, address in nodes.items()
    }
    pi.put("/etc/hostname", "pi1\n")
    state.write_json(pi, PEERS, to_json(book))


def part(pi: FakePi) -> Thing:
    write_bundle(pi, "/part", {"about.json": "of pi2", "kubepi.log": "says"})
    return pi.path("/part")


def test_who_answers_is_in_it_and_who_does_not_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, pi = pi_of(tmp_path / "a"), pi_of(tmp_path / "b")
    knows(pi, pi2=SERVER, pi3=NOBODY, stranger=SERVER)
    with serving(server, {SUPPORT: part(server)}.get):
        bundle(pi, {"about.json": "of pi1"}, "/root/help.tar.gz")
    with tarfile.open(pi.path("/root/help.tar.gz")) as tar:
        names = tar.getnames()
        missing = tar.extractfile("pi3/missing.txt")
        assert missing is not None
        assert NOBODY in missing.read().decode()
    assert names == ["pi1/about.json", "pi2/about.json", "pi2/kubepi.log", "pi3/missing.txt"]
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["pi1: 1 files", "pi2: 2 files"]
    assert said[2].startswith(f"pi3: missing: {NOBODY} does not give support")
    assert pi.listdir(state.RUN) == ["peers.json"], "no part is left"


def test_a_pi_of_no_cluster_has_itself(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    pi = FakePi(tmp_path / "root", {"/etc/hostname": "pi1\n"})
    bundle(pi, {"about.json": "{}"}, "/help.tar.gz")
    with tarfile.open(pi.path("/help.tar.gz")) as tar:
        assert tar.getnames() == ["pi1/about.json"]


def test_the_agent_lets_a_kubepi_of_its_own_collect(tmp_path: Path) -> None:
    pi = pi_of(tmp_path / "a")

    def doctor(pi: FakePi, argv: object, stdin: str) -> tuple[int, str]:
        pi.put(OWN_PART, "the archive")
        return 0, ""

    program = ("/usr/bin/python3", "-I", str(pi.path(FILE)), "doctor", "--here", "--bundle")
    pi.changes(*program, script=doctor)
    assert find_thing(pi, SUPPORT, {}) == b"the archive"
    assert not pi.exists(OWN_PART)
    pi.changes(*program, script=lambda pi, argv, stdin: (1, "no room"))
    assert find_thing(pi, SUPPORT, {}) is None
