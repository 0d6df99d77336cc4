"""kubepi/report/support.py and machine/bundles.py: all that helps, and no secret in any of it."""

import json
import tarfile
from pathlib import Path

import pytest

from kubepi.cluster.kubectl import command
from kubepi.decide.rotation import Tokens
from kubepi.errors import KubepiError
from kubepi.log import LOG_FILE
from kubepi.machine import state
from kubepi.machine.bundles import read_bundle, write_bundle
from kubepi.machine.rotation import save
from kubepi.machine.state import GOAL
from kubepi.report.support import (
    ASKED,
    FILES,
    LOG_CHARACTERS,
    LOOKS,
    PART_OF_A_KEY,
    collect,
)
from tests.fakes import FakePi
from tests.scene import init_goal, master

CANARY = "canary-0123456789-canary"
JOIN_TOKEN = "abcdef.0123456789abcdef"
KEY = "-----BEGIN EC PRIVATE KEY-----\nY2FuYXJ5\n-----END EC PRIVATE KEY-----"
TOLD = f"said {CANARY}\npassword: hunter22\n{KEY}\nkubeadm join --token {JOIN_TOKEN} at last"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """Everything on it has said all of its secrets."""
    pi = master(tmp_path / "pi")
    state.save_goal(pi, init_goal())
    save(pi, Tokens(CANARY, 2, CANARY[::-1], frozenset({"aa" * 8})))
    for name in (LOG_FILE, f"{LOG_FILE}.1", *FILES.values()):
        if name != state.GOAL:
            pi.put(name, f"{TOLD} {CANARY[::-1]}")
    for argv in LOOKS.values():
        pi.looks(*argv, script=lambda pi, argv, stdin: (0, TOLD))
    for words in ASKED.values():
        pi.looks(*command(pi, *words), script=lambda pi, argv, stdin: (0, TOLD))
    return pi


def test_no_secret_is_in_it(pi: FakePi) -> None:
    found = collect(pi.read_only())
    for name, text in found.items():
        for secret in (CANARY, CANARY[::-1], JOIN_TOKEN, "hunter22", "Y2FuYXJ5"):
            assert secret not in text, name
    for name in (*LOOKS, *ASKED, "kubepi.log", "peers.json", "hosts.txt"):
        assert "said [secret]" in found[name], name
        assert "at last" in found[name], name


def test_it_has_what_helps(pi: FakePi) -> None:
    found = collect(pi.read_only())
    assert json.loads(found["about.json"])["facts"]["host_name"] == "pi7"
    assert json.loads(found["status.json"])["role"] == "master"
    assert "sentence" in found["doctor.json"]
    assert json.loads(found["goal.json"])["verb"] == "init"


def test_what_cannot_be_had_says_why(pi: FakePi) -> None:
    pi.looks("ip", "route", script=lambda pi, argv, stdin: (1, "no such table"))
    pi.put(GOAL, '{"verb": 7}')
    pi.path("/etc/hosts").unlink()
    pi.path("/etc/hosts").symlink_to("hosts")  # stands for a card that gives an error
    found = collect(pi.read_only())
    assert found["routes.txt"] == "no such table(code 1)"
    assert found["status.json"].startswith("KeyError")
    assert found["hosts.txt"].startswith("OSError")
    assert "at last" in found["journal.txt"]


def test_the_newest_of_a_long_log_is_in_it(pi: FakePi) -> None:
    pi.put(f"{LOG_FILE}.1", f"old\n{KEY}\n")
    pi.put(LOG_FILE, "line of a log\n" * (LOG_CHARACTERS // 14) + "the end\n")
    found = collect(pi.read_only())["kubepi.log"]
    assert LOG_CHARACTERS - PART_OF_A_KEY <= len(found) <= LOG_CHARACTERS
    assert found.endswith("the end\n")


def test_it_is_for_root_alone_and_read_as_it_was_written(pi: FakePi) -> None:
    write_bundle(pi, "/root/help.tar.gz", {"pi7/a.txt": "ä", "pi8/b.txt": ""})
    assert pi.mode("/root/help.tar.gz") == 0o600
    path = pi.path("/root/help.tar.gz")
    with tarfile.open(path) as tar:
        assert tar.getnames() == ["pi7/a.txt", "pi8/b.txt"]
    assert read_bundle(path) == {"a.txt": "ä", "b.txt": ""}


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00cut"])
def test_one_that_is_damaged_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "part"
    file.write_bytes(content)
    with pytest.raises(KubepiError, match="is damaged"):
        read_bundle(file)
