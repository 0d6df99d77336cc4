"""kubepi/agent/duties.py: a master's agent makes a joiner's token, deletes a leaver's Node."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.duties import RENEW_BEFORE, TOKEN_SECONDS, Duties, token_secret
from kubepi.cluster.kubectl import ADMIN
from kubepi.decide.adverts import Advert
from kubepi.decide.credentials import bootstrap_token, new_token
from kubepi.decide.goal import Secret
from kubepi.decide.peerbook import SILENT_AFTER, Book, Peer
from kubepi.decide.placing import MASTER
from kubepi.log import Log
from kubepi.machine import state
from tests.fakes import Answer, FakePi

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
NEW = new_token(b"another, of which there are so many")
IDENTIFIER, SECRET = bootstrap_token(TOKEN).split(".")
JOINER = Advert(node="pi2", node_id="bb", role="worker", state="joining", time=2000)
LEAVER = replace(JOINER, state="leaving")


class Master(FakePi):
    """A Pi with an API that knows some Nodes and records what it is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {ADMIN: "admin"})
        self.log = Log(folder / "log")
        self.nodes = {"pi1", "pi2"}
        self.told: list[str] = []
        self.applied: list[str] = []
        self.broken: set[str] = set()
        self.made = "1970-01-01T00:00:01Z"
        self.labels: dict[str, str] = {}
        state.save_secret(self, Secret("token"), TOKEN)
        self.looks("kubectl", script=self._kubectl)
        self.duties = Duties(self)

    def _kubectl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        words = [word for word in argv[6:] if not word.startswith("-")]
        if words[0] in self.broken:
            return 1, "the server is currently unable to handle the request"
        if words[:2] == ["get", "node"]:
            about = {"creationTimestamp": self.made, "labels": self.labels}
            node = json.dumps({"metadata": about})
            return (0, node) if words[2] in self.nodes else (1, "Error: NotFound")
        self.told.append(" ".join(words))
        if words[0] == "apply":
            self.applied.append(stdin)
        if words[0] == "delete":
            self.nodes.discard(words[2])
        return 0, ""


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def book(*adverts: Advert, trusted: bool = True) -> Book:
    """All heard a moment ago, and in every moment of these tests."""
    return {advert.node_id: Peer(advert, trusted, float("inf")) for advert in adverts}


# --- the joiner's token ---------------------------------------------------------------------


def test_the_secret_is_one_that_kubernetes_takes_for_an_hour() -> None:
    secret = json.loads(token_secret(TOKEN, 1_795_219_200.0))
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert secret["metadata"] == {
        "name": f"bootstrap-token-{IDENTIFIER}",
        "namespace": "kube-system",
    }
    data = secret["stringData"]
    assert (data["token-id"], data["token-secret"]) == (IDENTIFIER, SECRET)
    assert data["expiration"] == "2026-11-21T01:00:00Z"
    assert data["usage-bootstrap-authentication"] == data["usage-bootstrap-signing"] == "true"
    assert data["auth-extra-groups"] == "system:bootstrappers:kubeadm:default-node-token"


def test_a_joiner_gets_its_token_by_stdin_and_never_by_argv(master: Master) -> None:
    assert master.duties.wanted(book(JOINER), {})
    master.duties.do(book(JOINER), {})
    assert [json.loads(text)["stringData"]["token-secret"] for text in master.applied] == [SECRET]
    for argv in (*master.ran, *master.probed):
        assert SECRET not in " ".join(argv)
    log = (master.root / "log").read_text()
    assert SECRET not in log
    assert TOKEN not in log


def test_the_token_is_made_once_and_renewed_before_it_ends(master: Master) -> None:
    master.duties.do(book(JOINER), {})
    assert not master.duties.wanted(book(JOINER), {})
    master.duties.do(book(JOINER), {})
    assert len(master.applied) == 1
    master.clock.seconds += TOKEN_SECONDS - RENEW_BEFORE + 1
    assert master.duties.wanted(book(JOINER), {})
    master.duties.do(book(JOINER), {})
    assert len(master.applied) == 2


def test_a_changed_token_opens_at_once_and_the_one_before_nothing_more(master: Master) -> None:
    master.duties.do(book(JOINER), {})
    state.save_secret(master, Secret("token"), NEW)
    assert master.duties.wanted({}, {}), "also while nobody joins"
    master.broken = {"delete"}
    master.duties.do(book(JOINER), {})
    assert master.duties.wanted({}, {})
    master.broken = set()
    master.duties.do(book(JOINER), {})
    assert master.told[1:] == [
        f"delete secret bootstrap-token-{IDENTIFIER} kubeadm-certs",
        "apply",
    ]
    secret = bootstrap_token(NEW).split(".")[1]
    assert json.loads(master.applied[-1])["stringData"]["token-secret"] == secret
    assert not master.duties.wanted(book(JOINER), {})
    assert NEW not in repr(master.duties)


@pytest.mark.parametrize("word", ["new", "ready", "starting"])
def test_who_does_not_join_gets_nothing(master: Master, word: str) -> None:
    assert not master.duties.wanted(book(replace(JOINER, state=word)), {})
    master.duties.do(book(replace(JOINER, state=word)), {})
    assert master.told == []


@pytest.mark.parametrize("advert", [JOINER, LEAVER])
def test_a_stranger_has_no_wishes(master: Master, advert: Advert) -> None:
    strangers = book(advert, trusted=False)
    assert not master.duties.wanted(strangers, {})
    master.duties.do(strangers, {})
    assert master.told == []
    assert master.probed == []


# --- the leaver's Node ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alive", "told"), [(True, []), (False, ["member remove 2"])], ids=["it answers", "it is dead"]
)
def test_a_master_that_leaves_takes_itself_out_of_etcd_if_it_can(
    alive: bool, told: list[str], master: Master
) -> None:
    members = [{"ID": n, "name": f"pi{n}", "peerURLs": [f"https://pi{n}:2380"],
                "clientURLs": [f"https://pi{n}:2379"]} for n in (1, 2)]  # fmt: skip
    health = [{"endpoint": f"https://pi{n}:2379", "health": n == 1 or alive} for n in (1, 2)]
    changed: list[str] = []

    def etcdctl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if "remove" in argv:
            changed.append(" ".join(argv[-3:]))
        return 0, json.dumps(health if "health" in argv else {"members": members})

    ctr = ("ctr", "--namespace", "k8s.io")
    master.looks(*ctr, "tasks", "list", script=lambda pi, argv, stdin: (0, "e 1 RUNNING"))
    master.looks(*ctr, "containers", "list", script=lambda pi, argv, stdin: (0, "e"))
    master.looks(*ctr, "tasks", "exec", script=etcdctl)
    master.labels = {MASTER: ""}
    master.duties.do(book(LEAVER), {})
    assert master.told == ["drain pi2", "delete node pi2"]
    assert changed == told


def test_a_leaver_is_drained_then_deleted_once(master: Master) -> None:
    assert master.duties.wanted(book(LEAVER), {})
    master.duties.do(book(LEAVER), {})
    assert master.told == ["drain pi2", "delete node pi2"]
    drain = next(argv for argv in master.ran if "drain" in argv)
    assert any(word.startswith("--timeout=") for word in drain)
    assert not master.duties.wanted(book(LEAVER), {})
    master.duties.do(book(LEAVER), {})
    assert len(master.told) == 2
    assert master.nodes == {"pi1"}


def test_a_node_that_is_gone_already_needs_nothing(master: Master) -> None:
    master.nodes = {"pi1"}
    master.duties.do(book(LEAVER), {})
    assert master.told == []
    assert not master.duties.wanted(book(LEAVER), {})


def test_what_cannot_be_drained_leaves_all_the_same(master: Master) -> None:
    master.broken = {"drain"}
    master.duties.do(book(LEAVER), {})
    assert master.nodes == {"pi1"}
    assert "pi2 leaves undrained" in (master.root / "log").read_text()


@pytest.mark.parametrize("broken", ["delete", "get"])
def test_what_fails_is_tried_again(master: Master, broken: str) -> None:
    master.broken = {broken}
    master.duties.do(book(LEAVER), {})
    assert "waits for the next try" in (master.root / "log").read_text()
    assert master.duties.wanted(book(LEAVER), {})
    master.broken = set()
    master.duties.do(book(LEAVER), {})
    assert master.nodes == {"pi1"}


def test_a_node_that_came_back_may_leave_again(master: Master) -> None:
    master.duties.do(book(LEAVER), {})
    master.nodes.add("pi2")
    master.duties.do(book(replace(LEAVER, state="ready")), {})
    master.duties.do(book(LEAVER), {})
    assert master.nodes == {"pi1"}


def test_a_joiner_and_a_leaver_at_once(master: Master) -> None:
    master.duties.do(book(LEAVER, replace(JOINER, node="pi3", node_id="cc")), {})
    assert sorted(word.split()[0] for word in master.told) == ["apply", "delete", "drain"]


def test_a_recorded_farewell_takes_nobody_out_who_came_back(master: Master) -> None:
    """A reset board that joins again has a new id; its old last word can be played to an agent
    that was restarted since and never heard it. The newer of the two, by their time, counts."""
    back = replace(JOINER, node_id="cc", state="ready", time=9000)
    master.duties.do(book(LEAVER, back), {})
    assert master.nodes == {"pi1", "pi2"}


def test_a_joiner_that_died_keeps_no_token_alive(master: Master) -> None:
    silent = {"bb": Peer(JOINER, True, master.monotonic() - SILENT_AFTER - 1)}
    assert not master.duties.wanted(silent, {})


def test_an_old_farewell_deletes_no_node_that_is_younger(master: Master) -> None:
    """Its recording is played to an agent that was restarted and has not heard the node yet."""
    master.made = "2026-11-21T12:00:00Z"
    master.duties.do(book(replace(LEAVER, time=1_700_000_000)), {})
    assert master.nodes == {"pi1", "pi2"}
    master.duties.left.clear()
    master.duties.do(book(replace(LEAVER, time=1_900_000_000)), {})
    assert master.nodes == {"pi1"}
