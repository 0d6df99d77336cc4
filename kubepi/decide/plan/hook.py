"""What a prepared card's first boot does: no network is there yet, and the hook's own reboot is
the only one. The next boot goes on with the goal "up"."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.hook import HookGone, SshHostKeys, TokenOffCard
from kubepi.steps.install import AGENT
from kubepi.steps.services import ServiceEnabled


def plan(goal: Goal, facts: Facts, own_file: str, keep_token: bool) -> list[Step]:
    folder = facts.boot_folder or ""
    return [
        *common.kubepi_on_disk(own_file),
        ServiceEnabled(AGENT),
        *common.names(goal, facts),
        SshHostKeys(),
        *common.boot(goal, facts),
        *([] if keep_token else [TokenOffCard(folder)]),
        HookGone(folder),
    ]
