"""The settings of defaults.yaml, a line each: shape, check, example; pure.

Tests: tests/unit/test_config.py. The checks themselves are in values.py and
download_values.py.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from kubepi.decide import download_values, share, values
from kubepi.decide.values import Wrong, close_to, quoted

Shape = Literal["text", "number", "switch", "list", "map", "names or number"]

TOKEN = "cluster.token"
WIFI_KEY = "wifi.psk"
SSH_KEY = (
    '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMhnzGtvZ2rGm0FVxFBJ4nWq8y5C7Zc8cmUfDcKZc1zD ann"]'
)
DISK = "/dev/disk/by-id/usb-Samsung_T7_S5TC-0:0"
# kept for root alone, by these names, and out of everything that is printed or saved
SECRETS = {TOKEN: "token", WIFI_KEY: "wifi-psk"}
CHECK_NAMES = "preflight.ignore"


@dataclass(frozen=True)
class Kind:
    """What a setting may hold; `optional`: also the empty text, which means kubepi chooses."""

    shape: Shape
    check: Callable[[Any], Any]
    example: str
    optional: bool = False


KINDS: dict[str, Kind] = {
    "cluster.name": Kind("text", values.dns_label, "home"),
    "cluster.token": Kind(
        "text", values.cluster_token, "what `kubepi token show` prints", optional=True
    ),
    "cluster.seeds": Kind(
        "list", values.each_of(values.ipv4_address), "[192.168.1.20, 192.168.1.21]"
    ),
    "cluster.expect": Kind("number", values.pi_count, "5"),
    "cluster.masters": Kind("names or number", values.master_choice, "3"),
    "node.name": Kind("text", values.dns_label, "pi-kitchen", optional=True),
    "node.address": Kind("text", values.ipv4_address, "192.168.1.20", optional=True),
    "node.role": Kind("text", values.one_of("auto", "master", "worker"), "auto"),
    "kubernetes.version": Kind("text", values.kubernetes_version, "v1.36.3"),
    # kube-controller-manager gives a /24 to each node, of at most 65536 nodes
    "kubernetes.pod_subnet": Kind("text", values.ipv4_subnet(8, 24), "10.244.0.0/16"),
    # the API server takes 20 bits at most, kubeadm wants ten addresses at least
    "kubernetes.service_subnet": Kind("text", values.ipv4_subnet(12, 28), "10.96.0.0/12"),
    "kubernetes.flannel_backend": Kind("text", values.one_of("auto", "vxlan", "host-gw"), "auto"),
    "kubernetes.proxy_mode": Kind("text", values.one_of("iptables", "nftables"), "iptables"),
    "kubernetes.workloads_on_control_plane": Kind(
        "text", values.one_of("auto", "yes", "no"), "auto"
    ),
    # less than three signs of life would be lost to one slow write of an SD card
    "kubernetes.not_ready_after": Kind("number", values.seconds(10, 300), "15"),
    "kubernetes.pods_move_after": Kind("number", values.seconds(0, 3600), "20"),
    "kubernetes.kubelet": Kind("map", values.any_map, "{maxPods: 50}"),
    "kubernetes.kube_proxy": Kind("map", values.any_map, "{bindAddress: 0.0.0.0}"),
    "kubernetes.ignore_preflight": Kind("list", values.each_of(values.check_name), "[NumCPU]"),
    "downloads.kit": Kind("text", values.absolute_folder, "/media/usb/kubepi-kit", optional=True),
    "downloads.kubernetes_repository": Kind(
        "text", values.package_repository, "https://pkgs.k8s.io/core:/stable:/{minor}/deb/"
    ),
    "downloads.repository_key": Kind(
        "text",
        download_values.key_fingerprint,
        "DE15B14486CD377B9E876E1A234654DA9A296436",
        optional=True,
    ),
    "downloads.image_mirrors": Kind(
        "map", download_values.image_mirrors, '{registry.k8s.io: "http://mirror:5000"}'
    ),
    "downloads.proxy": Kind("text", download_values.http_proxy, "http://proxy:3128", optional=True),
    "downloads.no_proxy": Kind(
        "list", values.each_of(download_values.direct_host), "[.lan, 192.168.1.0/24]"
    ),
    "storage.default_class": Kind(
        "text", values.one_of("auto", "kubepi-nfs", "kubepi-local", "none"), "auto"
    ),
    "storage.node_data": Kind("text", share.stable_disk, DISK, optional=True),
    "storage.nfs.server": Kind("text", share.share_server, "pi-attic"),
    "storage.nfs.path": Kind("text", share.share_folder, "/srv/kubepi"),
    "storage.nfs.device": Kind("text", share.stable_disk, DISK, optional=True),
    "storage.nfs.mount": Kind("text", share.share_folder, "/mnt/kubepi"),
    CHECK_NAMES: Kind("list", values.each_of(values.check_name), "[memory]"),
    "backup.every": Kind(
        "text", values.one_of("hour", "day", "week", "never"), "day"
    ),
    "backup.keep": Kind("number", values.backup_count, "7"),
    "addons.install": Kind("list", values.each_of(values.dns_label), "[metrics-server]"),
    "addons.settings": Kind("map", values.any_map, "{hello: {host: hello.lan}}"),
    "boot.gpu_mem": Kind("number", values.gpu_megabytes, "16"),
    "wifi.country": Kind("text", values.wifi_country, "DE", optional=True),
    "wifi.ssid": Kind("text", values.wifi_name, "Attic", optional=True),
    WIFI_KEY: Kind("text", values.wifi_key, "what `kubepi sdcard --wifi` writes", optional=True),
    "wifi.power_save": Kind("switch", values.any_switch, "false"),
    "first_boot.user": Kind("text", values.user_name, "ann", optional=True),
    "first_boot.ssh_keys": Kind("list", values.each_of(values.ssh_key), SSH_KEY),
    "first_boot.timezone": Kind("text", values.timezone, "Europe/Berlin", optional=True),
}


def checked(name: str, value: Any, check_names: Collection[str]) -> Any:
    """A value of the right shape as kubepi uses it.

    Raises:
        Wrong: the setting cannot have it.
    """
    kind = KINDS[name]
    if kind.shape == "text":
        if not value:
            if kind.optional:
                return None if name in SECRETS else ""
            raise Wrong("is empty", f"write it like {kind.example}, or leave the line out")
        if not value.isprintable():
            raise Wrong("has a character that cannot be printed", "type it anew")
    result = kind.check(value)
    for item in result if name == CHECK_NAMES else ():
        if item not in check_names:
            close = close_to(item, check_names)
            known = f"known are {', '.join(sorted(check_names)) or 'none'}"
            raise Wrong(
                f"{quoted(item)} is not one of kubepi's checks",
                f"did you mean {close}?" if close else known,
            )
    return result
