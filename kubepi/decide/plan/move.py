"""A move of the share: the new place filled while all goes on, then a short stop and the switch."""

from kubepi.machine.step import Step
from kubepi.steps.moving import (
    DataCopied,
    DataVerified,
    ShareFollowed,
    ShareSwitched,
    TargetReady,
    UsersStarted,
    UsersStopped,
)
from kubepi.steps.waits import ApiReady


def plan(kit: str) -> list[Step]:
    return [
        ApiReady(),
        TargetReady(kit),
        DataCopied(),
        UsersStopped(),
        DataVerified(),
        ShareSwitched(),
        ShareFollowed(),
        UsersStarted(),
    ]
