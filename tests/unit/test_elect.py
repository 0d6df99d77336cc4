"""The rules of the election, one by one; whole elections are in tests/laws/test_elections.py."""

from dataclasses import replace

import pytest

from kubepi.decide.assembly import FRESH, QUIET, Candidate, Seen
from kubepi.decide.elect import PATIENCE, Election, Verdict, elect, forget
from kubepi.decide.peerbook import SILENT_AFTER
from kubepi.decide.votes import NO_VOTE, Ballot, Rank, Vote

ME = Candidate("a", "pi-a", (1, 1))
NOW = 1000.0
MINE = Ballot(0, 1, "a")
THEIRS = Ballot(0, 1, "b")


def peer(node: str, vote: Vote = NO_VOTE, rank: Rank | None = (1, 0), heard: float = NOW) -> Seen:
    return Seen(f"pi-{node}", vote, rank, heard)


def long_settled(vote: Vote = NO_VOTE, others: str = "bc") -> Election:
    """Nobody new was seen for a long time."""
    return Election(vote, frozenset({"a", *others}))


def test_everybody_expected_is_there_and_the_best_proposes_itself_at_once() -> None:
    me = replace(ME, expect=3)
    after, decision = elect(me, Election(), {"b": peer("b"), "c": peer("c")}, NOW)
    assert after.vote == Vote(MINE, expect=3)
    assert decision.verdict is Verdict.WAIT


@pytest.mark.parametrize(
    ("peers", "expect", "quiet", "reason"),
    [
        ("", 0, 0, "waits 15 s more for other Pis; heard: pi-a"),
        ("bc", 0, QUIET - 1, "waits 1 s more for other Pis; heard: pi-a, pi-b, pi-c"),
        ("b", 5, QUIET - 1, "waits for 3 more of 5 Pis; heard: pi-a, pi-b"),
        # fewer than a quorum never settle
        ("b", 5, 3600, "waits for 3 more of 5 Pis; heard: pi-a, pi-b"),
    ],
)
def test_nothing_is_proposed_before_it_is_settled(
    peers: str, expect: int, quiet: float, reason: str
) -> None:
    ids = frozenset({"a", *peers})
    before = Election(ids=ids, new_at=NOW - quiet)
    me = replace(ME, expect=expect)
    after, decision = elect(me, before, {node: peer(node) for node in peers}, NOW)
    assert after.vote.promised == Ballot()
    assert decision.reason == reason


@pytest.mark.parametrize(("peers", "expect"), [("", 0), ("bc", 0), ("bc", 5), ("", 1)])
def test_quiet_and_a_quorum_settle_it(peers: str, expect: int) -> None:
    before = Election(ids=frozenset({"a", *peers}), new_at=NOW - QUIET)
    me = replace(ME, expect=expect)
    after, _ = elect(me, before, {node: peer(node) for node in peers}, NOW)
    assert after.vote.promised == MINE


def test_a_new_pi_is_given_its_time() -> None:
    after, _ = elect(ME, Election(ids=frozenset("ab")), {n: peer(n) for n in "bc"}, NOW)
    assert after.new_at == NOW
    assert after.vote.promised == Ballot()


def test_the_largest_expectation_counts_for_all() -> None:
    peers = {"b": peer("b", Vote(expect=5)), "c": peer("c")}
    _, decision = elect(replace(ME, expect=3), Election(), peers, NOW)
    assert decision.reason == "waits for 2 more of 5 Pis; heard: pi-a, pi-b, pi-c"


def test_silent_pis_count_for_the_quorum_but_not_as_there() -> None:
    peers = {n: peer(n, heard=NOW - FRESH - 1) for n in "bc"}
    after, decision = elect(ME, long_settled(), peers, NOW)
    assert after.vote.promised == Ballot()
    assert decision.reason == "1 of 3 Pis are heard, 2 must be: waits for more"


@pytest.mark.parametrize(("better", "waits"), [("", 0.0), ("b", PATIENCE), ("bc", 2 * PATIENCE)])
def test_each_better_pi_has_three_seconds_before_the_next(better: str, waits: float) -> None:
    peers = {n: peer(n, rank=(2, 0) if n in better else (0, 0)) for n in "bc"}
    before, _ = elect(ME, long_settled(), peers, NOW)
    if waits:
        early, decision = elect(ME, before, peers, NOW + waits - 0.1)
        assert early.vote.promised == Ballot()
        assert "pi-b" in decision.reason or "pi-c" in decision.reason
    # they are heard again meanwhile
    peers = {n: replace(seen, heard=NOW + waits) for n, seen in peers.items()}
    after, _ = elect(ME, before, peers, NOW + waits)
    assert after.vote.promised == MINE


def test_of_equal_rank_the_id_decides() -> None:
    peers = {"b": peer("b", rank=ME.rank), "c": peer("c", rank=None)}
    after, decision = elect(replace(ME, expect=3), Election(), peers, NOW)
    assert after.vote.promised == Ballot()
    assert decision.reason == "3 of 3 Pis are heard: pi-b is to propose itself"


def test_without_a_rank_nobody_proposes_and_all_say_so() -> None:
    peers = {n: peer(n, rank=None) for n in "bc"}
    after, decision = elect(replace(ME, rank=None, expect=3), Election(), peers, NOW)
    assert after.vote.promised == Ballot()
    assert decision.verdict is Verdict.STOP
    assert "none of the Pis that are there can be the master" in decision.reason


def test_a_higher_promise_is_taken_over_and_a_lower_one_is_not() -> None:
    higher = Ballot(0, 2, "b")
    after, _ = elect(ME, long_settled(Vote(MINE)), {"b": peer("b", Vote(higher))}, NOW)
    assert after.vote.promised == higher
    after, _ = elect(ME, long_settled(Vote(higher)), {"b": peer("b", Vote(MINE))}, NOW)
    assert after.vote.promised == higher


def test_a_quorum_of_promises_is_accepted_with_myself() -> None:
    peers = {"b": peer("b", Vote(MINE)), "c": peer("c")}
    after, _ = elect(ME, long_settled(Vote(MINE)), peers, NOW)
    assert after.vote == Vote(MINE, MINE, "a")


def test_one_promise_of_three_is_not_enough() -> None:
    after, _ = elect(ME, long_settled(Vote(MINE)), {n: peer(n) for n in "bc"}, NOW)
    assert after.vote.accepted == Ballot()


def test_what_may_be_chosen_already_is_chosen_again() -> None:
    mine = Ballot(0, 7, "a")
    older, newer = Ballot(0, 1, "b"), Ballot(0, 3, "c")
    peers = {"b": peer("b", Vote(mine, older, "b")), "c": peer("c", Vote(mine, newer, "c"))}
    after, _ = elect(ME, long_settled(Vote(mine)), peers, NOW)
    assert after.vote == Vote(mine, mine, "c")


def test_what_an_older_epoch_chose_is_void() -> None:
    mine = Ballot(1, 1, "a")
    peers = {"b": peer("b", Vote(mine, THEIRS, "b")), "c": peer("c", Vote(mine, THEIRS, "b"))}
    after, decision = elect(ME, long_settled(Vote(mine)), peers, NOW)
    assert after.vote == Vote(mine, mine, "a")
    assert decision.verdict is Verdict.WAIT


def test_an_accepted_ballot_is_taken_over_unless_a_higher_one_was_promised() -> None:
    peers = {"b": peer("b", Vote(THEIRS, THEIRS, "b")), "c": peer("c")}
    after, _ = elect(ME, long_settled(Vote(MINE)), peers, NOW)
    assert after.vote == Vote(THEIRS, THEIRS, "b")
    higher = Ballot(0, 2, "c")
    after, _ = elect(ME, long_settled(Vote(higher)), peers, NOW)
    assert after.vote == Vote(higher)


def test_a_quorum_elects_me_and_that_is_in_the_vote() -> None:
    accepted = Vote(MINE, MINE, "a")
    peers = {"b": peer("b", accepted), "c": peer("c")}
    after, decision = elect(ME, long_settled(accepted), peers, NOW)
    assert decision.verdict is Verdict.LEAD
    assert after.vote.master == "a"
    # and it stays so with nobody there, after a power cut too
    _, decision = elect(ME, Election(after.vote), {}, NOW)
    assert decision.verdict is Verdict.LEAD


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        (NOW, "pi-b is elected and begins"),
        (NOW - 60, "waits for pi-b, which was heard 60 s ago: it was elected and has not begun"),
    ],
)
def test_another_is_elected_and_waited_for(heard: float, reason: str) -> None:
    accepted = Vote(THEIRS, THEIRS, "b")
    peers = {"b": peer("b", accepted, heard=heard), "c": peer("c", accepted)}
    after, decision = elect(ME, long_settled(), peers, NOW)
    assert (decision.verdict, decision.reason) == (Verdict.WAIT, reason)
    assert after.vote.master == ""


def test_whoever_names_a_master_ends_the_election() -> None:
    peers = {"b": peer("b", Vote(master="b")), "c": peer("c")}
    after, decision = elect(ME, long_settled(), peers, NOW)
    assert (decision.verdict, decision.reason) == (Verdict.JOIN, "pi-b is the master")
    assert after.vote.master == "b"


@pytest.mark.parametrize(
    ("heard", "since"), [(NOW - SILENT_AFTER - 1, "for 151 s"), (None, "since this Pi started")]
)
def test_a_silent_master_is_waited_for(heard: float | None, since: str) -> None:
    peers = {"c": peer("c", Vote(master="b"))}
    if heard is not None:
        peers["b"] = peer("b", Vote(master="b"), heard=heard)
    _, decision = elect(ME, long_settled(), peers, NOW)
    assert decision.verdict is Verdict.WAIT
    assert decision.reason.endswith(f"not heard {since}")
    assert "--forget" in decision.hint


@pytest.mark.parametrize(
    ("first", "verdict"),
    [(NOW - SILENT_AFTER - 1, Verdict.JOIN), (None, Verdict.JOIN), (NOW, Verdict.JOIN)],
)
def test_any_living_master_of_the_control_plane_is_joined(
    first: float | None, verdict: Verdict
) -> None:
    """A further master names the one that made the cluster, as every member does."""
    further = replace(peer("c", Vote(master="b")), is_master=True)
    peers = {"c": further}
    if first is not None:
        peers["b"] = replace(peer("b", Vote(master="b"), heard=first), is_master=True)
    after, decision = elect(ME, long_settled(), peers, NOW)
    assert (decision.verdict, decision.master) == (verdict, "b")
    assert after.vote.master == "b"


def test_a_further_master_that_is_silent_too_is_waited_for() -> None:
    further = replace(peer("c", Vote(master="b"), heard=NOW - 200), is_master=True)
    _, decision = elect(ME, long_settled(), {"c": further}, NOW)
    assert decision.verdict is Verdict.WAIT
    assert decision.reason == "waits for the master the node b, not heard for 200 s"


def test_a_master_of_another_cluster_is_no_word_of_ours() -> None:
    other = replace(peer("c", Vote(master="c")), is_master=True)
    peers = {"b": peer("b", Vote(master="b")), "c": other}
    _, decision = elect(ME, long_settled(), peers, NOW)
    assert decision.verdict is Verdict.STOP


def test_two_masters_stop_everybody_and_both_are_named() -> None:
    peers = {"b": peer("b", Vote(master="b")), "c": peer("c", Vote(master="c"))}
    for me in (ME, replace(ME, begun=True)):
        after, decision = elect(me, long_settled(), peers, NOW)
        assert decision.verdict is Verdict.STOP
        assert "pi-b, pi-c" in decision.reason
        assert after.vote.master == ""


def test_who_is_forgotten_is_voted_on_anew() -> None:
    chosen = Vote(THEIRS, THEIRS, "b")
    vote = forget(ME, chosen)
    assert vote.promised == Ballot(1, 0, "a")
    before = Election(vote, frozenset("abc"))
    peers = {"b": peer("b", replace(chosen, master="b"), heard=NOW - 60), "c": peer("c", chosen)}
    after, decision = elect(ME, replace(before, new_at=0.0), peers, NOW)
    assert after.vote.promised == Ballot(1, 1, "a")
    assert decision.verdict is Verdict.WAIT


def test_a_forgotten_master_that_had_not_begun_follows() -> None:
    vote = Vote(MINE, MINE, "a", master="a")
    peers = {"b": peer("b", Vote(Ballot(1, 1, "b"), Ballot(1, 1, "b"), "b", master="b"))}
    after, decision = elect(ME, Election(vote), peers, NOW)
    assert (decision.verdict, after.vote.master) == (Verdict.JOIN, "b")


def test_a_forgotten_master_that_had_begun_stops_and_both_are_named() -> None:
    vote = Vote(MINE, MINE, "a", master="a")
    peers = {"b": peer("b", Vote(Ballot(1, 1, "b"), Ballot(1, 1, "b"), "b", master="b"))}
    after, decision = elect(replace(ME, begun=True), Election(vote), peers, NOW)
    assert decision.verdict is Verdict.STOP
    assert "pi-a, pi-b" in decision.reason
    assert after.vote.master == "a"
