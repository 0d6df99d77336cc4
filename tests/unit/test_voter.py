"""kubepi/agent/voter.py: a node's vote on its disk, and what it tells the commands that wait."""

from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.voter import Voter, seen
from kubepi.decide.adverts import Advert
from kubepi.decide.facts import Facts
from kubepi.decide.peerbook import Book, Peer
from kubepi.decide.votes import Ballot, Vote, read_vote, write_rank, write_vote
from kubepi.machine import state
from kubepi.machine.facts import look
from tests.boards.trees import pi_of
from tests.fakes import FakePi
from tests.scene import init_goal, join_goal, up_goal

ME, OTHER = "a" * 16, "b" * 16
ALONE = up_goal(cluster__expect=1, node__address="")


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    pi = pi_of("pi4b-trixie", tmp_path / "pi")
    pi.mkdir(state.STATE, 0o700)
    return pi


@pytest.fixture
def facts(pi: FakePi) -> Facts:
    return replace(look(pi), memory_mb=4000, cpus=4)


def saved(pi: FakePi) -> Vote | None:
    return read_vote((pi.read(state.VOTE) or "").strip())


def book(pi: FakePi, vote: Vote, **changes: object) -> Book:
    advert = Advert(
        node="pi-b", node_id=OTHER, state="electing", vote=write_vote(vote),
        rank=write_rank((1, 1, 1, 1, 9999)),
    )  # fmt: skip
    return {OTHER: Peer(replace(advert, **changes), True, pi.monotonic())}  # type: ignore[arg-type]


def test_one_that_is_alone_and_knows_it_elects_itself(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    voter.look(ALONE, facts, {})
    assert saved(pi) == Vote(Ballot(0, 1, ME), expect=1)
    voter.look(ALONE, facts, {})
    assert saved(pi) == Vote(Ballot(0, 1, ME), Ballot(0, 1, ME), ME, ME, 1)
    told = state.read_json(pi, state.ELECTION)
    elected = ("lead", "elected by 1 of 1 Pis: pi-c6d7e8")
    assert (told["verdict"], told["reason"]) == elected
    voter.look(ALONE, facts, {})
    told = state.read_json(pi, state.ELECTION)
    assert (told["verdict"], told["reason"]) == elected, "the reason stays the one of the election"


def test_a_vote_survives_a_power_cut(pi: FakePi, facts: Facts) -> None:
    Voter(pi, ME).look(ALONE, facts, {})
    before = saved(pi)
    pi.power_cut()
    assert Voter(pi, ME).election.vote == before


def test_a_vote_that_cannot_be_written_is_not_cast(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    pi.path(state.VOTE).mkdir()
    with pytest.raises(Exception, match="vote"):
        voter.look(ALONE, facts, {})
    assert voter.election.vote == Vote()


def test_a_master_that_is_heard_is_joined(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    voter.look(up_goal(), facts, book(pi, Vote(master=OTHER)))
    told = state.read_json(pi, state.ELECTION)
    assert (told["verdict"], told["reason"]) == ("join", "pi-b is the master")
    assert voter.election.vote.master == OTHER


def test_a_master_made_by_hand_is_named_to_the_others(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    voter.look(init_goal(), facts, {})
    assert voter.election.vote.master == ME


def test_who_joined_by_hand_names_its_master(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    voter.look(join_goal(), facts, book(pi, Vote(master=OTHER), role="master"))
    assert voter.election.vote.master == OTHER


def test_who_leaves_or_is_not_trusted_or_does_not_vote_is_not_seen(pi: FakePi) -> None:
    assert list(seen(book(pi, Vote()))) == [OTHER]
    assert seen(book(pi, Vote(), state="leaving")) == {}
    assert seen({OTHER: Peer(Advert(node="pi-b", node_id=OTHER), True, pi.monotonic())}) == {}
    stranger = {name: replace(peer, trusted=False) for name, peer in book(pi, Vote()).items()}
    assert seen(stranger) == {}


@pytest.mark.parametrize(
    ("about", "is_master"),
    [({"role": "master", "endpoint": "home.kubepi.internal:6443"}, True),
     ({"role": "master"}, False),
     ({"role": "master", "state": "joining", "endpoint": ""}, False),
     ({"role": "worker"}, False)],
)  # fmt: skip
def test_who_has_an_api_is_a_master(
    pi: FakePi, about: dict[str, str], is_master: bool
) -> None:
    assert seen(book(pi, Vote(), **about))[OTHER].is_master is is_master


@pytest.mark.parametrize(("typed", "epoch"), [(OTHER, 1), ("c" * 16, 0)])
def test_an_elected_one_that_is_lost_is_given_up(
    pi: FakePi, facts: Facts, typed: str, epoch: int
) -> None:
    ballot = Ballot(0, 1, OTHER)
    voter = Voter(pi, ME)
    others = book(pi, Vote(ballot, ballot, OTHER, OTHER))
    pi.clock.seconds += 200
    voter.look(up_goal(), facts, others)
    assert state.read_json(pi, state.ELECTION)["master"] == OTHER
    pi.write(state.FORGET, f"{typed}\n")
    voter.look(up_goal(), facts, others)
    assert voter.election.vote.promised.epoch == epoch
    assert not pi.exists(state.FORGET)


def test_an_unfit_pi_has_no_rank(pi: FakePi, facts: Facts) -> None:
    voter = Voter(pi, ME)
    goal = up_goal(cluster__expect=1, node__address="", preflight__ignore=[])
    voter.look(goal, replace(facts, memory_mb=900), {})
    assert voter.rank is None
    assert state.read_json(pi, state.ELECTION)["verdict"] == "stop"
