"""kubepi/agent/replaced.py: a master of before a restore falls silent and stops."""

from dataclasses import replace
from pathlib import Path

import pytest

from kubepi.agent.agent import Agent
from kubepi.agent.replaced import Replaced
from kubepi.decide.adverts import Advert, decode, encode
from kubepi.decide.ca_hash import ca_hash
from kubepi.decide.credentials import advert_key
from kubepi.machine import state
from kubepi.machine.facts import look
from kubepi.steps import control_plane
from tests.etcd_programs import install_etcd, pods_run
from tests.fakes import FakePi
from tests.scene import TOKEN, give_token, init_goal, join_goal, master

ELSEWHERE = Advert(node="pi7", node_id="aa" * 8, address="10.0.0.9", sequence=5001)
KEY = advert_key(TOKEN)
CA = "/etc/kubernetes/pki/ca.crt"


def old_master(folder: Path) -> FakePi:
    pi = master(folder)
    install_etcd(pi)
    pods_run(pi)
    pi.put("/usr/lib/systemd/system/kubelet.service", "kubelet")
    give_token(pi)
    state.save_goal(pi, init_goal())
    state.mark_reached(pi)
    pi.put(state.NODE_ID, "aa" * 8)
    pi.put(state.SEQUENCE, "5000\n")
    pi.put(state.WAS_MASTER, "")
    return pi


def test_a_master_that_goes_on_elsewhere_falls_silent_and_stops(tmp_path: Path) -> None:
    pi = old_master(tmp_path / "pi")
    agent = Agent(pi, look(pi))
    assert agent.news() is not None
    pi.put(state.SEQUENCE, "5000\n")
    agent.hear(encode(ELSEWHERE, KEY))
    assert agent.news() is None
    assert agent.replaced.wanted()
    agent.replaced.do()
    assert not agent.replaced.wanted()
    assert control_plane.still_there(pi) is None
    assert "kubelet.service" not in pi.running
    assert pi.read(state.REPLACED) == "10.0.0.9\n"
    again = Replaced(pi, "aa" * 8)
    assert again.is_so and again.wanted()


def test_neither_its_own_voice_nor_a_strangers_makes_it_stop(tmp_path: Path) -> None:
    pi = old_master(tmp_path / "pi")
    replaced = Replaced(pi, "aa" * 8)
    for record in (
        encode(replace(ELSEWHERE, sequence=5000), KEY),
        encode(ELSEWHERE, advert_key("another token")),
        encode(replace(ELSEWHERE, node_id="bb" * 8, node="aa" * 8), KEY),
        b"",
    ):
        replaced.hear(record, KEY)
    replaced.hear(encode(ELSEWHERE, KEY), None)
    assert not replaced.is_so
    assert not pi.exists(state.REPLACED)


def restored(pi: FakePi, **changes: object) -> Advert:
    """What the first master says after it was restored on another board."""
    said = Advert(
        node="pi1", node_id="bb" * 8, address="10.0.0.9", role="master", state="ready",
        sequence=7, life=1_800_000_000, ca_hash=ca_hash(pi.read(CA) or ""),
    )  # fmt: skip
    return replace(said, **changes)  # type: ignore[arg-type]


def further_master(folder: Path) -> tuple[FakePi, Agent]:
    pi = old_master(folder)
    state.save_goal(pi, replace(join_goal(), as_master=True))
    state.mark_reached(pi)
    return pi, Agent(pi, look(pi))


def test_a_further_master_of_before_a_restore_stops(tmp_path: Path) -> None:
    pi, agent = further_master(tmp_path / "pi")
    agent.hear(encode(restored(pi), KEY))
    assert agent.news() is None
    agent.replaced.do()
    assert control_plane.still_there(pi) is None
    assert pi.read(state.REPLACED) == "10.0.0.9 older\n"
    assert Replaced(pi, "aa" * 8).wanted()


def test_it_says_so_when_it_leaves(tmp_path: Path) -> None:
    """The restored cluster has its Node still; who lives elsewhere too speaks there only."""
    pi, agent = further_master(tmp_path / "pi")
    agent.hear(encode(restored(pi), KEY))
    state.save_goal(pi, replace(init_goal(), verb="reset", was="join", as_master=True))
    record = agent.news()
    assert record is not None
    said = decode(record)
    assert said is not None and (said.state, said.role) == ("leaving", "none")
    pi.put(state.REPLACED, "10.0.0.9\n")
    assert agent.replaced.is_silent()


@pytest.mark.parametrize(
    "changes",
    [
        {"life": 1_700_000_000}, {"life": 1_600_000_000}, {"ca_hash": "sha256:22"},
        {"role": "worker"}, {"state": "joining"},
    ],
    ids=["same life", "earlier life", "other cluster", "worker", "joins"],
)  # fmt: skip
def test_nobody_else_makes_a_further_master_stop(
    changes: dict[str, object], tmp_path: Path
) -> None:
    pi, agent = further_master(tmp_path / "pi")
    pi.put(state.LIFE, "1700000000\n")
    agent.hear(encode(restored(pi, **changes), KEY))
    assert agent.news() is not None
    agent.hear(encode(restored(pi), advert_key("another token")))
    assert not agent.replaced.wanted()


def test_an_old_first_master_has_nothing_to_say_under_its_id(tmp_path: Path) -> None:
    """Also where another master of the new life is heard before its own other board."""
    pi = old_master(tmp_path / "pi")
    agent = Agent(pi, look(pi))
    agent.hear(encode(restored(pi, node="pi2", node_id="22" * 8), KEY))
    assert not state.is_older(pi)
    state.save_goal(pi, replace(init_goal(), verb="reset", was="init"))
    assert agent.news() is None
    assert agent.own() == b""


def test_a_worker_has_no_control_plane_to_stop(tmp_path: Path) -> None:
    pi, agent = further_master(tmp_path / "pi")
    pi.path(state.WAS_MASTER).unlink()
    agent.hear(encode(restored(pi), KEY))
    assert not agent.replaced.wanted()
