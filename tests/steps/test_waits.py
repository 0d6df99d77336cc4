"""kubepi/steps/waits.py: waiting for the API and the node, the mark of a master, the reboot."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubepi.errors import NotYet, RebootNeeded, StepFailed
from kubepi.machine import state
from kubepi.machine.step import Step
from kubepi.steps.waits import ApiReady, MasterAnnounced, NodeReady, OwnApiReady, Rebooted
from tests.fakes import Answer, FakePi
from tests.steps.lawful import obeys

ADMIN, KUBELET = "/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"
API, OWN, NODE = ApiReady(60.0), OwnApiReady(60.0), NodeReady(60.0)


class Cluster:
    """kubectl's answers, which become better while somebody waits."""

    def __init__(self, pi: FakePi, *answers: Answer) -> None:
        self.answers = list(answers)
        pi.looks("kubectl", script=self._kubectl)
        self.kubelet = "active"
        pi.looks("systemctl", "show", script=lambda *_: (0, f"ActiveState={self.kubelet}"))
        pi.changes("systemctl", "start", script=self._start)
        pi.clock.on_sleep.append(self._goes_on)

    def _start(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        self.kubelet = "active"
        return 0, ""

    def _goes_on(self) -> None:
        del self.answers[: len(self.answers) > 1]

    def _kubectl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return self.answers[0]


def node(ready: str, **why: str) -> Answer:
    conditions = [{"type": "MemoryPressure", "status": "False"}]
    if ready:
        conditions.append({"type": "Ready", "status": ready, **why})
    return 0, json.dumps({"status": {"conditions": conditions}})


NOT_WELL = "InternalError: [+]log ok\\n[-]etcd failed: no\\n[-]poststarthook/a-b failed: no"
REFUSED = (1, "E1121 memcache\nThe connection to the server was refused")
READY = node("True")


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path, {KUBELET: "x", ADMIN: "x", "/etc/hostname": "Pi7\n"})


@pytest.mark.parametrize(
    ("step", "answer", "finding"),
    [
        (API, (0, "ok"), None),
        (API, (0, "ok\n"), None),
        (API, (1, NOT_WELL), "it answers, but these of its checks fail: etcd, poststarthook/a-b"),
        (API, REFUSED, "The connection to the server was refused"),
        (API, (1, ""), "no answer"),
        (NODE, READY, None),
        (NODE, node("False", message="cni plugin not initialized"), "cni plugin not initialized"),
        (NODE, node("Unknown", reason="NodeStatusUnknown"), "NodeStatusUnknown"),
        (NODE, node(""), "the kubelet has not reported yet"),
        (NODE, (0, "{}"), "the kubelet has not reported yet"),
        (NODE, (1, 'nodes "pi7" NotFound'), "the node is not registered"),
        (NODE, REFUSED, "no answer from the Kubernetes API"),
    ],
)
def test_what_is_seen(pi: FakePi, step: Step, answer: Answer, finding: str | None) -> None:
    Cluster(pi, answer)
    before = pi.now()
    found = step.check(pi.read_only())
    assert (None if found is None else str(found)) == finding
    assert pi.now() == before, "a check waited"


def test_ready_is_not_believed_of_a_kubelet_that_does_not_run(pi: FakePi) -> None:
    """After a stop the Node says Ready until a controller manager misses the kubelet."""
    old, new = (
        node("True", lastHeartbeatTime=datetime.fromtimestamp(pi.now() + s, UTC).isoformat())
        for s in (-300, 5)
    )
    cluster = Cluster(pi, old, old, new)
    cluster.kubelet = "inactive"
    assert str(NODE.check(pi.read_only())) == "the kubelet does not run"
    shown: list[str] = []
    pi.on_wait = shown.append
    NODE.apply(pi)
    assert shown == ["waiting for this node: the kubelet has not reported since it was started"] * 2
    assert NODE.check(pi.read_only()) is None


START = ("systemctl", "start", "kubelet")


@pytest.mark.parametrize(
    ("step", "good", "ran"),
    [(API, (0, "ok"), [START]), (OWN, (0, "ok"), [START]), (NODE, READY, [])],
)  # fmt: skip
def test_it_waits_until_all_is_well(
    pi: FakePi, step: Step, good: Answer, ran: list[tuple[str, ...]]
) -> None:
    shown: list[str] = []
    pi.on_wait = shown.append
    Cluster(pi, REFUSED, REFUSED, good)
    step.apply(pi)
    assert step.check(pi.read_only()) is None
    assert len(shown) == 2
    assert pi.ran == ran


@pytest.mark.parametrize(
    ("step", "answer", "words"),
    [
        (API, REFUSED, "for the API; last seen: The connection to the server was refused"),
        (OWN, (1, NOT_WELL), "for the API of this master; last seen: .* fail: etcd"),
        (NODE, node("False", message="cni"), "for this node; last seen: cni"),
    ],
)
def test_the_time_out_says_what_was_last_seen(
    pi: FakePi, step: Step, answer: Answer, words: str
) -> None:
    Cluster(pi, answer)
    start = pi.now()
    with pytest.raises(StepFailed, match=words):
        step.apply(pi)
    assert 60 <= pi.now() - start <= 62


def test_an_api_elsewhere_does_not_stand_for_that_of_this_master(pi: FakePi) -> None:
    def kubectl(pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        return REFUSED if "--server=https://127.0.0.1:6443" in argv else (0, "ok")

    pi.looks("kubectl", script=kubectl)
    assert API.check(pi.read_only()) is None
    assert str(OWN.check(pi.read_only())) == "The connection to the server was refused"


def test_in_no_cluster_there_is_no_api_to_ask(tmp_path: Path) -> None:
    with pytest.raises(NotYet, match=r"admin\.conf"):
        API.check(FakePi(tmp_path).read_only())


def test_the_node_is_asked_for_by_its_lower_case_name(pi: FakePi) -> None:
    Cluster(pi, READY)
    NODE.check(pi.read_only())
    assert pi.probed[-1][6:9] == ("get", "node", "pi7")


def test_the_mark_of_a_master_obeys_the_laws(tmp_path: Path) -> None:
    obeys(MasterAnnounced(), lambda root: FakePi(root, {f"{state.STATE}/.keep": ""}), tmp_path)


# --- the reboot -----------------------------------------------------------------------------


def test_without_a_reason_there_is_no_reboot(pi: FakePi) -> None:
    assert Rebooted().check(pi.read_only()) is None


def test_all_reasons_make_one_reboot(pi: FakePi) -> None:
    state.want_reboot(pi, "cgroup_enable=memory")
    state.want_reboot(pi, "swap")
    assert str(Rebooted().check(pi.read_only())) == "needed for cgroup_enable=memory, swap"
    with pytest.raises(RebootNeeded, match="for cgroup_enable=memory, swap") as caught:
        Rebooted().apply(pi)
    assert "goes on by itself" in caught.value.hint
    pi.power_cut()
    assert Rebooted().check(pi.read_only()) is None


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        (["swap"], ["swap"], StepFailed),
        (["a", "b"], ["a", "b"], StepFailed),
        (["swap"], ["a token"], RebootNeeded),
        (["a", "b"], ["b"], RebootNeeded),
    ],
)
def test_the_same_reason_after_the_reboot_is_a_failure(
    pi: FakePi, first: list[str], second: list[str], error: type[Exception]
) -> None:
    for reason in first:
        state.want_reboot(pi, reason)
    with pytest.raises(RebootNeeded):
        Rebooted().apply(pi)
    pi.power_cut()
    for reason in second:
        state.want_reboot(pi, reason)
    with pytest.raises(error, match=second[0]):
        Rebooted().apply(pi)


def test_a_goal_that_was_reached_forgets_what_was_rebooted_for(pi: FakePi) -> None:
    """Years later the same reason is a new one."""
    state.want_reboot(pi, "swap")
    with pytest.raises(RebootNeeded):
        Rebooted().apply(pi)
    pi.power_cut()
    state.mark_reached(pi)
    state.want_reboot(pi, "swap")
    with pytest.raises(RebootNeeded):
        Rebooted().apply(pi)
