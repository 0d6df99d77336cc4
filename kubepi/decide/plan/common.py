"""What every node gets, master or worker, up to a containerd that holds its images."""

from collections.abc import Sequence

from kubepi import BUILT
from kubepi.decide.addon_choice import drops_data, wanted_addons
from kubepi.decide.cmdline import MEMORY_TOKEN, country_token
from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.names import chosen_name, unique_name
from kubepi.decide.proxy import proxy_of
from kubepi.machine.step import Step
from kubepi.steps.addon_removal import AddonAbsent
from kubepi.steps.addons import AddonApplied, AddonReady
from kubepi.steps.backup_timer import BACKUP_TIMER, backup_files
from kubepi.steps.boot import (
    CmdlineTokens,
    ConfigTxtLines,
    ConfigTxtLinesAbsent,
    MemoryController,
)
from kubepi.steps.clock import TimeSane
from kubepi.steps.cloud_init import CloudInitKeepsNames
from kubepi.steps.containerd import ContainerdConfigured, mirror_file
from kubepi.steps.duplicate import NameAlone
from kubepi.steps.identity import HostNamed, UniqueIdentity
from kubepi.steps.images import ImagesImported, ImagesPulled
from kubepi.steps.install import AGENT, RESUME, Installed, own_files
from kubepi.steps.kernel import KernelModules, Sysctl
from kubepi.steps.manifests import AdminKubeconfig
from kubepi.steps.names import ApiNamed
from kubepi.steps.node_data import NodeData
from kubepi.steps.os_network import AvahiOnlyOn, NetworkManagerIgnores, WifiPowerSaveOff
from kubepi.steps.os_services import KubeletRoom, os_services
from kubepi.steps.packages import AptPackages, KubernetesPackages
from kubepi.steps.proxy import ProxySet
from kubepi.steps.repository import KEY_FINGERPRINT, KubernetesRepository
from kubepi.steps.services import ServiceEnabled, ServiceGone, ServiceRunning
from kubepi.steps.share import ShareMounted, ShareServed
from kubepi.steps.swap import SwapOff
from kubepi.steps.versions import VersionPinned
from kubepi.steps.waits import Rebooted

OS_PACKAGES = ("containerd", "iptables", "conntrack", "ethtool", "socat", "openssl")
SYSCTL = (
    ("net.ipv4.ip_forward", "1"),
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
)


def cgroups_waived(goal: Goal) -> bool:
    return bool({"cgroups", "memory-controller"} & set(goal.settings["preflight.ignore"]))


def kubepi_on_disk(own_file: str) -> list[Step]:
    """From here on a power cut is harmless: the node goes on by itself."""
    return [Installed(own_file), *own_files(), ServiceEnabled(RESUME)]


def kubepi_itself(own_file: str) -> list[Step]:
    """And it is seen by the others, and hears them."""
    return [*kubepi_on_disk(own_file), ServiceRunning(AGENT)]


def machine(goal: Goal, facts: Facts) -> list[Step]:
    """The OS, in the order in which later things need earlier ones."""
    return [
        TimeSane(BUILT),
        *names(goal, facts),
        *boot(goal, facts),
        Rebooted(),
        *([] if cgroups_waived(goal) else [MemoryController()]),
        KernelModules(("overlay", "br_netfilter")),
        Sysctl(SYSCTL),
        *network(goal, facts),
    ]


def names(goal: Goal, facts: Facts) -> list[Step]:
    steps: list[Step] = []
    if facts.board.serial is not None:
        steps.append(UniqueIdentity(facts.board.serial))
    steps.append(HostNamed(chosen_name(goal.settings["node.name"], facts)))
    if facts.has_cloud_init:
        steps.append(CloudInitKeepsNames())
    return steps


def name_alone(goal: Goal, facts: Facts) -> Step:
    """A name that the user chose is not changed."""
    return NameAlone("" if goal.settings["node.name"] else unique_name(facts))


def boot(goal: Goal, facts: Facts) -> list[Step]:
    """Only what is missing; one reboot for all of it."""
    steps: list[Step] = []
    if facts.boot_folder is not None:
        # a second run finds the controller on, and has nothing to take back
        tokens = [] if facts.memory_controller else [MEMORY_TOKEN]
        if goal.settings["wifi.country"]:
            tokens.append(country_token(goal.settings["wifi.country"]))
        if tokens:
            steps.append(CmdlineTokens(facts.boot_folder, tuple(tokens)))
        memory = goal.settings["boot.gpu_mem"]
        if memory and facts.board.is_raspberry_pi and facts.board.soc != "BCM2712":
            steps.append(ConfigTxtLines(facts.boot_folder, (f"gpu_mem={memory}",)))
        else:
            steps.append(ConfigTxtLinesAbsent(facts.boot_folder))
    return [*steps, SwapOff()]


def network(goal: Goal, facts: Facts) -> list[Step]:
    steps: list[Step] = []
    if facts.has_network_manager:
        steps.append(NetworkManagerIgnores())
    wireless = facts.network is not None and facts.network.is_wireless
    if facts.network is not None and wireless and not goal.settings["wifi.power_save"]:
        steps.append(WifiPowerSaveOff(facts.network.interface, facts.has_network_manager))
    if facts.has_avahi:
        steps.append(AvahiOnlyOn(facts.lan_interfaces))
    return steps


def kubernetes(goal: Goal, facts: Facts) -> list[Step]:
    """Packages and images, from the kit or from the internet: the same steps."""
    settings = goal.settings
    kit = settings["downloads.kit"]
    mirrors = settings["downloads.image_mirrors"]
    wanted = settings["kubernetes.version"]
    joining = goal.verb == "join"
    url = settings["downloads.kubernetes_repository"]
    key = settings["downloads.repository_key"] or KEY_FINGERPRINT
    proxy = proxy_of(settings)
    repository = [] if kit else [KubernetesRepository(url, wanted, joining, key, proxy)]
    return [
        ProxySet(proxy),
        *([NodeData(disk)] if (disk := settings["storage.node_data"]) else []),
        AptPackages(OS_PACKAGES, kit),
        *repository,
        VersionPinned(wanted, kit, joining),
        KubernetesPackages(kit),
        ContainerdConfigured(facts.can_lower_oom_score),
        ServiceRunning("containerd.service"),
        *os_services(),
        KubeletRoom(goal),
        ServiceEnabled("kubelet.service"),
        ShareServed(goal),
        ShareMounted(goal),
        *(mirror_file(registry, mirror) for registry, mirror in sorted(mirrors.items())),
        images(goal),
        ApiNamed(goal),
    ]


def images(goal: Goal, version: str = "") -> Step:
    """All that this node needs, from the kit or the registries; an upgrade names the version."""
    settings = goal.settings
    if settings["downloads.kit"]:
        return ImagesImported(settings["downloads.kit"], version)
    mirrors = tuple(sorted(settings["downloads.image_mirrors"].items()))
    addons, is_worker = tuple(wanted_addons(goal)), goal.role == "worker"
    return ImagesPulled(is_worker, mirrors, proxy_of(settings), addons, version)


def admins(goal: Goal) -> list[Step]:
    """kubectl works for root, and for who called sudo."""
    steps: list[Step] = [AdminKubeconfig("/root")]
    if goal.admin is not None:
        steps.append(AdminKubeconfig(goal.admin.home, goal.admin.uid, goal.admin.gid))
    return steps


def backups(goal: Goal) -> list[Step]:
    every = str(goal.settings["backup.every"])
    if every == "never":
        return [ServiceGone(BACKUP_TIMER)]
    return [*backup_files(every, goal.makes_cluster), ServiceRunning(BACKUP_TIMER)]


def chosen_addons(goal: Goal, installed: Sequence[str]) -> list[Step]:
    """What is no longer wanted goes first: there is not much room on a Pi."""
    wanted = wanted_addons(goal)
    unwanted = [name for name in installed if name not in wanted]
    return [
        *(AddonAbsent(name, not drops_data(goal, name)) for name in unwanted),
        *(AddonApplied(name, goal) for name in wanted),
        *(AddonReady(name) for name in wanted),
    ]
