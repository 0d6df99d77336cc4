"""`kubepi nodes forget`: what is refused, what is asked of the others, what the agents strike."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.agent import Agent
from kubepi.cli import main
from kubepi.commands.forgetting import forget
from kubepi.decide.adverts import Advert, encode
from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import Secret
from kubepi.decide.hosts import HOSTS
from kubepi.decide.peerbook import Peer
from kubepi.decide.wish import FORGET, Wish, new_wishes, parse_wish
from kubepi.errors import KubepiError, NoGoal, UsageError
from kubepi.lan.peers import PEERS, read_peers, to_json
from kubepi.machine import state
from kubepi.machine.facts import look
from tests.fakes import FakePi
from tests.scene import TOKEN, join_goal
from tests.steps.test_forget import NODES, nodes_of, with_dead_master

MASTER = Advert(
    cluster_id="c1", cluster="home", node="pi1", node_id="1" * 16, address="10.0.0.1",
    role="master", state="ready", endpoint="home.kubepi.internal:6443", sequence=5,
    time=1_800_000_000,
)  # fmt: skip
DEAD = replace(MASTER, node="pi9", node_id="9" * 16, address="127.0.0.9", role="worker")
NUMBER = "0123456789abcdef"


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    """A master whose worker pi9 is dead; its agent writes down what it knows."""
    pi = with_dead_master(tmp_path / "pi")
    state.save_goal(pi, join_goal())
    state.mark_reached(pi)
    state.write_json(pi, state.KNOWN, {DEAD.node_id: (DEAD.node, "")})
    return pi


def agent_strikes(pi: FakePi) -> Callable[[], None]:
    def strike() -> None:
        wish = parse_wish(pi.read(state.WISH) or "")
        assert wish is not None
        known = state.read_json(pi, state.KNOWN)
        left = {i: about for i, about in known.items() if about[0] not in wish.targets}
        state.write_json(pi, state.KNOWN, left)

    return strike


def test_a_dead_node_is_forgotten_and_all_are_told(
    pi: FakePi, capsys: pytest.CaptureFixture[str]
) -> None:
    pi.clock.on_sleep.append(agent_strikes(pi))
    assert forget(pi, "pi9", False, False) == 0
    assert "pi9 is forgotten" in capsys.readouterr().out
    wish = parse_wish(pi.read(state.WISH) or "")
    assert wish is not None
    assert (wish.verb, wish.targets) == (FORGET, ("pi9",))
    assert "pi9" not in nodes_of(pi)
    with pytest.raises(UsageError, match="no node pi9 is known; there is pi7, pi8"):
        forget(pi, "pi9", False, False)


def test_a_dry_run_changes_nothing(pi: FakePi) -> None:
    before = pi.tree()
    assert forget(pi, "pi9", False, True) == 0
    assert pi.tree() == before
    assert not pi.exists(state.WISH)


@pytest.mark.parametrize(("name", "said"), [("pi7", "pi7 is this Pi"), ("pi5", "no node pi5")])
def test_what_is_no_other_node_is_refused(pi: FakePi, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        forget(pi, name, False, False)


def test_a_ready_node_is_refused_unless_forced(pi: FakePi) -> None:
    pi.put(NODES, '{"pi7": true, "pi9": true}')
    with pytest.raises(UsageError, match="pi9 is alive: its Node is Ready") as refused:
        forget(pi, "pi9", False, False)
    assert "sudo kubepi reset" in refused.value.hint
    pi.clock.on_sleep.append(agent_strikes(pi))
    assert forget(pi, "pi9", True, False) == 0


def test_an_agent_that_keeps_it_is_a_failure_that_says_so(pi: FakePi) -> None:
    with pytest.raises(KubepiError, match="the agent here knows it still"):
        forget(pi, "pi9", False, False)


def test_without_a_cluster_there_is_nothing_to_forget(pi: FakePi) -> None:
    pi.remove(state.GOAL)
    with pytest.raises(NoGoal):
        forget(pi, "pi9", False, False)


@pytest.mark.parametrize("words", [["forget"], ["forget", "a", "b"], ["pi9"]])
def test_other_words_are_a_usage_error(words: list[str], capsys: object) -> None:
    assert main(["nodes", *words]) == 2


# --- what the agents do -------------------------------------------------------------------


def test_all_obey_whatever_nodes_it_names() -> None:
    wish = Wish(NUMBER, FORGET, ("pi9",))
    book = {"a": Peer(replace(MASTER, wish=str(wish)), True, 0.0)}
    assert new_wishes(book, "pi2", {}, 1.0, MASTER.time) == {"a": wish}


def agent_of(pi: FakePi) -> Agent:
    state.save_secret(pi, Secret("token"), TOKEN)
    agent = Agent(pi, look(pi))
    for advert in (MASTER, DEAD):
        agent.hear(encode(advert, advert_key(TOKEN)))
    agent.write_down()
    agent.keep_names(join_goal())
    assert "pi9" in (pi.read(HOSTS) or "")
    return agent


@pytest.mark.parametrize("asker", ["another", "this node"])
def test_an_agent_strikes_it_from_book_memory_and_hosts(pi: FakePi, asker: str) -> None:
    agent = agent_of(pi)
    wish = str(Wish(NUMBER, FORGET, ("pi9",)))
    if asker == "another":
        agent.hear(encode(replace(MASTER, sequence=6, wish=wish), advert_key(TOKEN)))
        agent.obeying.do(agent.book, "pi7")
    else:
        pi.put(state.WISH, wish)
        agent.news()
    agent.write_down()
    agent.keep_names(join_goal())
    assert "pi9" not in (pi.read(HOSTS) or "")
    assert "pi9" not in (pi.read(state.KNOWN) or "")
    assert [peer.advert.node for peer in read_peers(pi).values()] == ["pi1"]
    assert "pi1" in (pi.read(HOSTS) or "")


def test_one_that_speaks_again_is_a_node_again(pi: FakePi) -> None:
    agent = agent_of(pi)
    pi.put(state.WISH, str(Wish(NUMBER, FORGET, ("pi9",))))
    agent.news()
    agent.write_down()
    agent.hear(encode(replace(DEAD, sequence=9), advert_key(TOKEN)))
    agent.write_down()
    assert "pi9" in (pi.read(state.KNOWN) or "")


def test_a_master_also_deletes_its_node(pi: FakePi) -> None:
    agent = agent_of(pi)
    pi.put(state.WAS_MASTER, "")
    wish = str(Wish(NUMBER, FORGET, ("pi9",)))
    agent.hear(encode(replace(MASTER, sequence=6, wish=wish), advert_key(TOKEN)))
    agent.obeying.do(agent.book, "pi7")
    assert "pi9" not in nodes_of(pi)


def test_what_is_heard_of_it_is_no_reason_to_keep_it(pi: FakePi) -> None:
    """The last advert of a dead node is in the book for two minutes and more."""
    heard = Peer(replace(DEAD, address=""), True, pi.monotonic())
    state.write_json(pi, PEERS, to_json({DEAD.node_id: heard}), 0o644)
    pi.clock.on_sleep.append(agent_strikes(pi))
    pi.clock.on_sleep.append(lambda: state.write_json(pi, PEERS, {}, 0o644))
    assert forget(pi, "pi9", False, False) == 0
