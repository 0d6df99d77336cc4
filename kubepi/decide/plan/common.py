"""What every node gets, master or worker, up to a containerd that holds its images."""

from kubepi import BUILT
from kubepi.decide.facts import Facts
from kubepi.decide.goal import Goal
from kubepi.decide.names import chosen_name
from kubepi.machine.step import Step
from kubepi.steps.apt import AptPackages, KubernetesPackages
from kubepi.steps.containerd import ContainerdConfigured, ImagesImported, ImagesPulled
from kubepi.steps.install import AGENT, RESUME, Installed, own_files
from kubepi.steps.kernel import KernelModules, Sysctl, TimeSane
from kubepi.steps.names import ApiNamed
from kubepi.steps.services import ServiceEnabled, ServiceRunning
from kubepi.steps.versions import KubernetesRepository, VersionPinned
from kubepi.steps.waits import Rebooted

OS_PACKAGES = ("containerd", "iptables", "conntrack", "ethtool", "socat")
SYSCTL = (
    ("net.ipv4.ip_forward", "1"),
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
)


def kubepi_itself(own_file: str) -> list[Step]:
    """From here on a power cut is harmless: the node goes on by itself."""
    return [
        Installed(own_file),
        *own_files(),
        ServiceEnabled(RESUME),
        ServiceRunning(AGENT),
    ]


def machine(goal: Goal, facts: Facts) -> list[Step]:
    """The OS, in the order in which later things need earlier ones."""
    return [
        TimeSane(BUILT),
        *names(goal, facts),
        *boot(goal, facts),
        Rebooted(),
        KernelModules(("overlay", "br_netfilter")),
        Sysctl(SYSCTL),
        *network(goal, facts),
    ]


def names(goal: Goal, facts: Facts) -> list[Step]:
    name = chosen_name(goal.settings["node.name"], facts)
    del name
    return []


def boot(goal: Goal, facts: Facts) -> list[Step]:
    return []


def network(goal: Goal, facts: Facts) -> list[Step]:
    return []


def kubernetes(goal: Goal, facts: Facts) -> list[Step]:
    """Packages and images, from the kit or from the internet: the same steps."""
    settings = goal.settings
    kit = settings["downloads.kit"]
    wanted = settings["kubernetes.version"]
    joining = goal.verb == "join"
    url = settings["downloads.kubernetes_repository"]
    repository = [] if kit else [KubernetesRepository(url, wanted, joining)]
    images = ImagesImported(kit) if kit else ImagesPulled()
    return [
        AptPackages(OS_PACKAGES, kit),
        *repository,
        VersionPinned(wanted, kit, joining),
        KubernetesPackages(kit),
        ContainerdConfigured(facts.can_lower_oom_score),
        ServiceRunning("containerd.service"),
        ServiceEnabled("kubelet.service"),
        images,
        ApiNamed(goal),
    ]
