"""kubepi/agent/agent.py: when a node speaks, whom it hears and asks, and what it writes down."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from kubepi.agent.agent import MOST_A_SECOND, SETTLED, TELL_ALL, Agent
from kubepi.agent.loop import next_duty
from kubepi.agent.rotating import Fetched
from kubepi.decide.adverts import Advert, decode, encode, is_signed
from kubepi.decide.credentials import advert_key
from kubepi.decide.goal import Goal, Secret
from kubepi.decide.hosts import HOSTS
from kubepi.decide.peerbook import Peer
from kubepi.decide.rotation import Offer, Tokens, begin
from kubepi.decide.wish import ENABLE, Wish
from kubepi.lan.peers import read_peers
from kubepi.machine import rotation, state
from kubepi.machine.facts import look
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.scene import join_goal

TOKEN = "00108-1g818-60w40-j2gb1-g6gw3-rgdsk"
MASTER = Advert(
    cluster_id="c1", cluster="home", node="pi1", node_id="1" * 16, address="10.0.0.1",
    role="master", state="ready", endpoint="home.kubepi.internal:6443",
    ca_hash="sha256:" + "0" * 64, kubernetes="v1.36.3", sequence=5,
)  # fmt: skip


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    state.save_secret(pi, Secret("token"), TOKEN)
    return pi


def agent_of(pi: FakePi) -> Agent:
    return Agent(pi, look(pi))


def settled(pi: FakePi, goal: Goal) -> Agent:
    state.save_goal(pi, goal)
    state.mark_reached(pi)
    return agent_of(pi)


def test_those_that_elect_or_join_are_told_directly_a_few_at_a_time(pi: FakePi) -> None:
    agent = settled(pi, join_goal())
    for number in range(5):
        state_of = "electing" if number else "ready"
        advert = replace(
            MASTER, node_id=f"{number:016x}", address=f"10.0.0.{number}", state=state_of
        )
        agent.hear(record(advert))
    told = [agent.whom_to_tell() for _ in range(4)]
    assert all(len(addresses) == 3 for addresses in told)
    assert {address for addresses in told for address in addresses} == {
        "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
    }  # fmt: skip


def test_all_that_are_known_are_told_where_this_node_is_now(pi: FakePi) -> None:
    """Where multicast does not pass they would ask at its old address."""
    known = {"1" * 16: ("pi1", "10.0.0.1"), "2" * 16: ("pi2", "10.0.0.2")}
    state.write_json(pi, state.KNOWN, known)
    agent = settled(pi, join_goal())
    assert agent.whom_to_tell() == ["10.0.0.1", "10.0.0.2"]
    pi.clock.seconds += TELL_ALL
    assert agent.whom_to_tell() == []


def record(advert: Advert, token: str = TOKEN) -> bytes:
    return encode(advert, advert_key(token))


def test_a_settled_node_speaks_once_a_minute_and_at_every_change(pi: FakePi) -> None:
    agent = settled(pi, join_goal())
    first = agent.news()
    assert first is not None
    assert is_signed(first, advert_key(TOKEN))
    assert agent.own() == first
    pi.clock.seconds += SETTLED - 1
    assert agent.news() is None
    pi.clock.seconds += 1
    second = agent.news()
    said = [decode(one or b"") for one in (first, second)]
    assert said[0] is not None
    assert said[1] is not None
    assert said[1].sequence == said[0].sequence + 1
    pi.put(state.PINNED_VERSION, "v1.36.3\n")
    changed = decode(agent.news() or b"")
    assert changed is not None
    assert changed.kubernetes == "v1.36.3"


def test_a_node_that_joins_speaks_every_second(pi: FakePi) -> None:
    state.save_goal(pi, join_goal())
    agent = agent_of(pi)
    assert agent.news() is not None
    assert agent.news() is None
    pi.clock.seconds += 1
    assert agent.news() is not None


def test_among_many_it_speaks_less_often_but_says_news_at_once(pi: FakePi) -> None:
    state.save_goal(pi, join_goal())
    agent = agent_of(pi)
    agent.book = {str(n): Peer(Advert(node=f"pi{n}"), True, 0.0) for n in range(100)}
    assert agent.news() is not None
    pi.clock.seconds += 100 / MOST_A_SECOND - 1
    assert agent.news() is None
    pi.put(state.PINNED_VERSION, "v1.36.3\n")
    assert agent.news() is not None
    pi.clock.seconds += 100 / MOST_A_SECOND
    assert agent.news() is not None


def test_without_a_token_it_is_seen_and_not_believed(tmp_path: Path) -> None:
    pi = pi_of("pi4b-trixie", tmp_path / "bare")
    agent = agent_of(pi)
    said = agent.news()
    advert = decode(said or b"")
    assert advert is not None
    assert advert.state == "new"
    assert not is_signed(said or b"", advert_key(TOKEN))
    assert agent.rotating.sign(MASTER) is None


def test_the_address_of_the_goal_comes_before_that_of_the_network(pi: FakePi) -> None:
    agent = agent_of(pi)
    network = agent.facts.network
    assert agent.address() == ("" if network is None else network.address)
    state.save_goal(pi, join_goal(node__address="10.0.0.77"))
    assert agent.address() == "10.0.0.77"


def test_what_is_heard_is_written_for_the_other_commands(pi: FakePi) -> None:
    agent = settled(pi, join_goal())
    stranger = replace(MASTER, node="else", node_id="2" * 16)
    agent.hear(record(MASTER))
    agent.hear(record(stranger, "another-token"))
    agent.hear(b"rubbish")
    agent.write_down()
    trust = {peer.advert.node: peer.trusted for peer in read_peers(pi).values()}
    assert trust == {"pi1": True, "else": False}
    assert state.read_json(pi, state.KNOWN) == {"1" * 16: ["pi1", "10.0.0.1"]}
    effects = pi.fake_disk.effects
    agent.write_down()
    assert pi.fake_disk.effects == effects, "nothing new is written to the card"


def test_who_leaves_is_not_known_any_more(pi: FakePi) -> None:
    agent = settled(pi, join_goal())
    agent.hear(record(MASTER))
    agent.write_down()
    agent.hear(record(replace(MASTER, state="leaving", sequence=6)))
    agent.write_down()
    assert state.read_json(pi, state.KNOWN) == {}


def test_silent_ones_of_before_the_boot_and_seeds_are_asked(pi: FakePi) -> None:
    goal = join_goal(cluster__seeds=["10.0.0.9"])
    agent = settled(pi, goal)
    agent.hear(record(MASTER))
    agent.write_down()
    assert agent.whom_to_ask(goal) == ["10.0.0.9"]
    booted = agent_of(pi)
    assert booted.whom_to_ask(goal) == ["10.0.0.1", "10.0.0.9"]
    assert booted.whom_to_ask(None) == ["10.0.0.1"]
    booted.hear(record(MASTER))
    assert booted.whom_to_ask(goal) == ["10.0.0.9"]


def test_the_name_of_the_api_is_kept_and_never_taken_away(pi: FakePi) -> None:
    goal = join_goal()
    agent = settled(pi, goal)
    agent.keep_names(goal)
    assert "home.kubepi.internal" not in (pi.read(HOSTS) or "")
    agent.hear(record(MASTER))
    agent.keep_names(goal)
    assert "10.0.0.1" in (pi.read(HOSTS) or "")
    text = pi.read(HOSTS)
    agent.book, agent.known = {}, {}
    agent.keep_names(goal)
    assert pi.read(HOSTS) == text


def test_the_numbers_go_on_after_a_boot(pi: FakePi) -> None:
    agent = settled(pi, join_goal())
    before = decode(agent.news() or b"")
    after = decode(agent_of(pi).news() or b"")
    assert before is not None
    assert after is not None
    assert after.sequence > before.sequence


def test_a_decision_is_told_once(pi: FakePi, capsys: pytest.CaptureFixture[str]) -> None:
    goal = join_goal()
    agent = settled(pi, goal)
    for _ in range(3):
        agent.log_decision(goal)
    agent.hear(record(MASTER))
    for _ in range(3):
        agent.log_decision(goal)
    told = [line for line in capsys.readouterr().err.splitlines() if "agent: " in line]
    assert len(told) == 2
    assert told[1].endswith("agent: master is pi1")


def test_whom_others_wait_for_is_known_before_their_token_is_followed(pi: FakePi) -> None:
    """A cut between the two must not leave a token that waits for nobody."""
    agent = settled(pi, join_goal())
    agent.hear(record(MASTER))
    waiting = {"3" * 16: ("pi3", "10.0.0.3")}
    fetched = Fetched(Offer("the new one", 2), TOKEN, waiting, "10.0.0.1")
    agent.rotating.fetched.append(fetched)
    agent.write_down()
    assert state.read_json(pi, state.KNOWN) == {
        "1" * 16: ["pi1", "10.0.0.1"], "3" * 16: ["pi3", "10.0.0.3"]
    }  # fmt: skip
    assert rotation.load(pi) == Tokens("the new one", 2, TOKEN, frozenset({"1" * 16, "3" * 16}))
    state.write_json(pi, state.KNOWN, {})
    assert agent_of(pi).known["3" * 16] == ("3" * 16, "")
    assert "" not in agent_of(pi).whom_to_ask(None)


def test_who_is_forgotten_or_leaves_is_not_waited_for(pi: FakePi) -> None:
    known = {"1" * 16: ("pi1", "10.0.0.1"), "2" * 16: ("pi2", "10.0.0.2")}
    state.write_json(pi, state.KNOWN, known)
    rotation.save(pi, Tokens("the new one", 2, TOKEN, frozenset(known)))
    agent = settled(pi, join_goal())
    agent.obeying.forgotten = {"pi2"}
    agent.write_down()
    agent.hear(record(replace(MASTER, state="leaving")))
    agent.write_down()
    assert rotation.load(pi) == Tokens("the new one", 2)


def test_a_worker_waits_no_more_for_the_earlier_card_of_a_board_that_is_back(pi: FakePi) -> None:
    """A fresh card is a node of its own, with the same name; the old id is never heard again."""
    state.write_json(pi, state.KNOWN, {"3" * 16: ("pi1", "10.0.0.1")})
    rotation.save(pi, Tokens("the new one", 2, TOKEN, frozenset({"3" * 16})))
    agent = settled(pi, join_goal())
    back = replace(MASTER, role="worker", state="joining", sequence=1)
    agent.hear(record(back, "the new one"))
    agent.write_down()
    assert "3" * 16 in agent.known, "one that joins may find out yet that it is a duplicate"
    agent.hear(record(replace(back, state="ready", sequence=2), "the new one"))
    agent.write_down()
    assert state.read_json(pi, state.KNOWN) == {"1" * 16: ["pi1", "10.0.0.1"]}
    assert rotation.load(pi) == Tokens("the new one", 2)


def test_a_newer_token_is_fetched_before_a_wish_is_obeyed(pi: FakePi) -> None:
    """What the wish wants from a depot, the old token opens no more; and a wish counts once."""
    goal = join_goal()
    agent = settled(pi, goal)
    mine = agent.facts.host_name
    tokens = begin(Tokens(TOKEN), "the new one", {"2" * 16})
    wish = str(Wish("7" * 16, ENABLE, (mine,)))
    advert = replace(MASTER, wish=wish, token=tokens.word, time=int(pi.now()))
    agent.hear(encode(advert, advert_key("the new one"), advert_key(TOKEN)))
    agent.write_down()
    assert agent.obeying.wanted(agent.book, mine)
    duty = next_duty(agent, goal)
    assert isinstance(duty, partial) and duty.func == agent.rotating.do
    offer = Fetched(Offer("the new one", 2), TOKEN, {}, "10.0.0.1")
    agent.rotating.ahead = {}
    agent.rotating.fetched.append(offer)
    assert next_duty(agent, goal) is None, "it is followed at the next tick"
    agent.write_down()
    duty = next_duty(agent, goal)
    assert isinstance(duty, partial) and duty.func == agent.obeying.do


def test_what_a_cut_left_in_a_change_is_put_right_at_the_start(pi: FakePi) -> None:
    rotation.save(pi, Tokens("the new one", 2, TOKEN, frozenset({"2" * 16})))
    pi.put(state.secret_file(Secret("token")), f"{TOKEN}\n")
    agent_of(pi)
    assert state.read_secret(pi, Secret("token")) == "the new one"
