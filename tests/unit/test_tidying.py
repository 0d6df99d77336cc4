"""kubepi/agent/tidying.py: ended pods that an orderly shutdown left in the list."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubepi.agent.tidying import LOOK_AGAIN, Tidying, is_left_over
from kubepi.cluster.kubectl import ADMIN
from tests.fakes import Answer, FakePi


def pod(name: str, reason: str = "Terminated", owner: str = "ReplicaSet") -> dict[str, Any]:
    owners = [{"kind": owner}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "demo", "ownerReferences": owners},
        "spec": {"nodeName": "pi2"}, "status": {"phase": "Failed", "reason": reason},
    }  # fmt: skip


class Master(FakePi):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {ADMIN: "admin"})
        self.pods = [pod("web-1"), pod("late", "NodeShutdown"), pod("full", "Evicted")]
        self.is_up = True
        self.looks("kubectl", script=self._kubectl)
        self.tidying = Tidying(self)

    def _kubectl(self, pi: FakePi, argv: Sequence[str], stdin: str) -> Answer:
        if not self.is_up:
            return 1, "connection refused"
        if "delete" in argv:
            gone = argv[argv.index("delete") + 2]
            self.pods = [p for p in self.pods if p["metadata"]["name"] != gone]
            return 0, ""
        assert "--field-selector=status.phase=Failed" in argv
        return 0, json.dumps({"items": self.pods})


@pytest.fixture
def pi(tmp_path: Path) -> Master:
    return Master(tmp_path)


@pytest.mark.parametrize(
    ("left", "is_so"),
    [
        (pod("web"), True),
        (pod("web", "NodeShutdown"), True),
        (pod("web", "Evicted"), False),
        (pod("web", owner="Job"), False),
        (pod("web", owner=""), False),
    ],
)
def test_what_is_left_over(left: dict[str, Any], is_so: bool) -> None:
    assert is_left_over(left) is is_so


def test_it_goes_and_what_tells_a_user_something_stays(pi: Master) -> None:
    assert pi.tidying.wanted()
    pi.tidying.do()
    assert [p["metadata"]["name"] for p in pi.pods] == ["full"]


def test_it_looks_now_and_then_also_after_a_failure(pi: Master) -> None:
    pi.is_up = False
    pi.tidying.do()
    assert not pi.tidying.wanted()
    pi.is_up = True
    pi.clock.seconds += LOOK_AGAIN + 1
    assert pi.tidying.wanted()
    pi.tidying.do()
    assert len(pi.pods) == 1
