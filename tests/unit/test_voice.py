"""kubepi/agent/voice.py: what a node says of itself, and numbers that never fall back."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from kubepi.agent.voice import BLOCK, Sequence, compose, node_id, own_cluster_id
from kubepi.decide.adverts import Advert
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.credentials import cluster_id
from kubepi.decide.goal import Goal, Secret
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.machine.runner import PROGRESS
from tests.boards.trees import pi_of
from tests.fakes import FakePi, PowerCut
from tests.scene import init_goal, join_goal, reset_goal

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
CA = Path(__file__).parent / "golden" / "ca.crt"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return pi_of("pi4b-trixie", tmp_path / "pi")


def said(pi: FakePi) -> Advert:
    return compose(pi, look(pi), "192.168.1.20", 7)


def become(pi: FakePi, goal: Goal, reached: bool = False) -> None:
    state.save_secret(pi, Secret("token"), TOKEN)
    state.save_goal(pi, goal)
    if reached:
        state.mark_reached(pi)


def test_a_node_without_a_goal_says_what_it_is(pi: FakePi) -> None:
    advert = said(pi)
    assert advert == Advert(
        node="raspberrypi", node_id=node_id(pi), address="192.168.1.20",
        board="Raspberry Pi 4 Model B Rev 1.4", role="none", state="new",
        time=int(pi.now()), sequence=7,
    )  # fmt: skip


def test_a_goal_without_its_token_is_no_membership(pi: FakePi) -> None:
    state.save_goal(pi, join_goal())
    assert said(pi).state == "new"
    assert said(pi).cluster == ""


@pytest.mark.parametrize(
    ("goal", "reached", "files", "role", "word"),
    [
        (join_goal(), False, [], "worker", "joining"),
        (join_goal(), True, [], "worker", "ready"),
        (init_goal(), False, [], "master", "starting"),
        (init_goal(), True, [state.WAS_MASTER], "master", "ready"),
        # the admin's kubeconfig is still to come, but joiners need not wait for it
        (init_goal(), False, [state.WAS_MASTER], "master", "ready"),
        (join_goal(), True, [state.LEAVING], "worker", "leaving"),
        (reset_goal(join_goal()), False, [], "none", "leaving"),
        (reset_goal(init_goal()), False, [state.WAS_MASTER], "none", "leaving"),
    ],
    ids=["joins", "worker", "starts", "master", "nearly master", "leaves", "resets",
         "master resets"],
)  # fmt: skip
def test_role_and_state(
    pi: FakePi, goal: Goal, reached: bool, files: list[str], role: str, word: str
) -> None:
    become(pi, goal, reached)
    for name in files:
        pi.put(name, "")
    assert (said(pi).role, said(pi).state) == (role, word)
    assert said(pi).cluster == "home"


def test_a_master_names_its_api_and_the_pin_of_its_ca(pi: FakePi) -> None:
    become(pi, init_goal(cluster__name="attic"), reached=True)
    pi.put("/etc/kubernetes/pki/ca.crt", CA.read_text())
    pi.put(state.PINNED_VERSION, "v1.36.3\n")
    assert (said(pi).endpoint, said(pi).ca_hash) == ("", ""), "nobody may join before it is one"
    pi.put(state.WAS_MASTER, "")
    advert = said(pi)
    assert advert.endpoint == "attic.kubepi.internal:6443"
    assert advert.ca_hash == ca_hash(CA.read_text()) != ""
    assert advert.kubernetes == "v1.36.3"


def test_a_worker_names_no_api(pi: FakePi) -> None:
    become(pi, join_goal(), reached=True)
    pi.put("/etc/kubernetes/pki/ca.crt", CA.read_text())
    assert (said(pi).endpoint, said(pi).ca_hash) == ("", "")


def test_progress_is_that_of_the_plan_and_ends_with_it(pi: FakePi) -> None:
    become(pi, join_goal())
    assert said(pi).progress == ""
    state.write_json(pi, PROGRESS, {"step": "images from the kit", "percent": 40})
    assert said(pi).progress == "40 % images from the kit"
    state.mark_reached(pi)
    assert said(pi).progress == ""


def test_no_secret_is_said(pi: FakePi) -> None:
    become(pi, init_goal(), reached=True)
    text = json.dumps(asdict(said(pi)))
    assert TOKEN not in text
    assert TOKEN.replace("-", "")[:12] not in text
    assert said(pi).cluster_id == cluster_id(TOKEN)


def test_the_cluster_id_stays_when_the_token_is_changed(pi: FakePi) -> None:
    first = own_cluster_id(pi, TOKEN)
    assert own_cluster_id(pi, "another token") == first == cluster_id(TOKEN)


def test_the_node_id_is_made_once_and_survives_a_power_cut(pi: FakePi) -> None:
    first = node_id(pi)
    assert len(bytes.fromhex(first)) == 8
    pi.power_cut()
    pi.random_made["node id"] = 1
    assert node_id(pi) == first
    assert pi.mode(state.STATE) == 0o700


# --- sequence numbers -----------------------------------------------------------------------


def test_numbers_only_grow_and_are_saved_a_block_ahead(pi: FakePi) -> None:
    sequence = Sequence(pi)
    numbers = [sequence.next() for _ in range(2 * BLOCK + 5)]
    assert numbers == sorted(set(numbers))
    assert int(pi.read(state.SEQUENCE) or "") > numbers[-1]
    written = sum("rename" in entry and "sequence" in entry for entry in pi.fake_disk.trail)
    assert written == 3, "an SD card is written once in a thousand adverts"


@pytest.mark.parametrize("said_before", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 2])
def test_after_a_power_cut_they_go_on_above_all_that_was_said(
    pi: FakePi, said_before: int
) -> None:
    sequence = Sequence(pi)
    last = [sequence.next() for _ in range(said_before)][-1]
    pi.power_cut()
    assert Sequence(pi).next() > last


@pytest.mark.parametrize("effect", [1, 2, 3, 4])
def test_a_cut_while_a_block_is_saved_says_no_number_twice(pi: FakePi, effect: int) -> None:
    first = Sequence(pi)
    heard = [first.next() for _ in range(BLOCK)]
    pi.die_at(effect)
    with pytest.raises(PowerCut):
        heard.append(first.next())
    pi.power_cut()
    assert Sequence(pi).next() > heard[-1]


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_is_a_beginning(pi: FakePi, text: str) -> None:
    pi.put(state.SEQUENCE, text)
    assert Sequence(pi).next() == 1
