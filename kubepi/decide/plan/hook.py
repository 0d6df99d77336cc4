"""What a prepared card's first boot does: no network is there yet, and the hook's own reboot is
the only one. The next boot goes on with the goal "up"."""

from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.plan import common
from kubepi.machine.step import Step
from kubepi.steps.first_boot import LoginUser, TimeZone
from kubepi.steps.hook import HookGone, HookScripted, SecretsOffCard, SshHostKeys
from kubepi.steps.install import AGENT
from kubepi.steps.kit import KitOffCard
from kubepi.steps.services import ServiceEnabled
from kubepi.steps.wifi import WifiJoined


def dropped(boot_folder: str, keep_token: bool) -> list[Step]:
    """Before anything is read that a person typed: whatever is wrong in it, the boot goes on."""
    return [HookScripted(boot_folder, keep_token)]


def plan(goal: Goal, facts: Facts, own_file: str, keep_token: bool) -> list[Step]:
    folder = facts.boot_folder or ""
    return [
        *common.kubepi_on_disk(own_file),
        ServiceEnabled(AGENT),
        *common.names(goal, facts),
        *_as_an_imager_would(goal, facts),
        SshHostKeys(),
        *common.boot(goal, facts),
        KitOffCard(folder),
        *([] if keep_token else [SecretsOffCard(folder)]),
        HookGone(folder),
    ]


def _as_an_imager_would(goal: Goal, facts: Facts) -> list[Step]:
    settings = goal.settings
    steps: list[Step] = []
    if settings["wifi.ssid"]:
        country = settings["wifi.country"]
        steps.append(WifiJoined(settings["wifi.ssid"], country, facts.has_network_manager))
    if settings["first_boot.timezone"]:
        steps.append(TimeZone(settings["first_boot.timezone"]))
    if settings["first_boot.user"]:
        steps.append(LoginUser(settings["first_boot.user"], tuple(settings["first_boot.ssh_keys"])))
    return steps
