"""What status and doctor say of a node: as wanted, drifted, unfinished, alone."""

from pathlib import Path

from kubepi.decide.goal import Goal
from kubepi.decide.plan import make_plan
from kubepi.decide.rotation import Tokens
from kubepi.machine import rotation, state
from kubepi.machine.facts import look
from kubepi.machine.runner import run_plan
from kubepi.report.ailments import examine
from kubepi.report.status import gather
from tests.fakes import FakePi, Recorder
from tests.scene import TOKEN, fresh_pi, give_token, init_goal, join_goal


def made(folder: Path, goal: Goal) -> FakePi:
    pi = fresh_pi(folder)
    give_token(pi)
    state.save_goal(pi, goal)
    # report runs the plan of the file that runs, which is none here: no file to compare
    plan = make_plan(goal, look(pi), str(folder / "kubepi.pyz"))
    run_plan(plan, pi, Recorder())
    state.mark_reached(pi)
    return pi


def test_a_worker_that_lost_a_file_has_drifted(tmp_path: Path) -> None:
    goal = join_goal()
    pi = made(tmp_path / "pi", goal)
    assert "kernel settings /etc/sysctl.d/90-kubepi.conf" not in gather(goal, pi.read_only()).drift
    pi.path("/etc/sysctl.d/90-kubepi.conf").unlink()
    status = gather(goal, pi.read_only())
    assert status.drift["kernel settings /etc/sysctl.d/90-kubepi.conf"] == "is missing"
    found = [ailment for ailment in examine(pi.read_only()) if ailment.name == "drift"]
    assert any("90-kubepi.conf" in ailment.sentence for ailment in found)
    assert all("sudo kubepi join" in ailment.cure for ailment in found)


def test_a_node_that_is_not_done_says_where_it_is(tmp_path: Path) -> None:
    pi, goal = fresh_pi(tmp_path / "pi"), init_goal()
    give_token(pi)
    state.save_goal(pi, goal)
    pi.put("/run/kubepi/progress.json", '{"step": "images from the kit", "percent": 40}')
    status = gather(goal, pi.read_only())
    assert status.state == "on its way"
    assert status.progress == "40 %: images from the kit"
    assert "not in a cluster" in status.silent
    names = [ailment.name for ailment in examine(pi.read_only())]
    assert "unfinished" in names


def test_a_fresh_pi_is_told_what_to_do(tmp_path: Path) -> None:
    pi = fresh_pi(tmp_path / "pi")
    ailments = {ailment.name: ailment for ailment in examine(pi.read_only())}
    assert "kubepi init" in ailments["goal"].cure


def test_who_has_the_old_token_still_is_named_on_each_node(tmp_path: Path) -> None:
    pi = made(tmp_path / "pi", join_goal())
    state.write_json(pi, state.KNOWN, {"bb": ["pi2", "10.0.0.2"], "cc": ["pi3", "10.0.0.3"]})
    rotation.save(pi, Tokens("the new one", 2, TOKEN, frozenset({"bb"})))
    found = [ailment for ailment in examine(pi.read_only()) if ailment.name == "token"]
    assert ["pi2" in ailment.sentence for ailment in found] == [True]
    assert "kubepi nodes forget pi2" in found[0].cure
    rotation.save(pi, Tokens("the new one", 2))
    assert all(ailment.name != "token" for ailment in examine(pi.read_only()))


def test_looking_changes_nothing(tmp_path: Path) -> None:
    goal = join_goal()
    pi = made(tmp_path / "pi", goal)
    before, ran = pi.tree(), list(pi.ran)
    gather(goal, pi.read_only())
    examine(pi.read_only())
    assert pi.tree() == before
    assert pi.ran == ran
