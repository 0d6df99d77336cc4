"""The images of the kit from source: which programs are in them, and their names."""

from dataclasses import dataclass

from kitparts import KUBERNETES

PROGRAMS = "usr/local/bin"
ETCD = f"/{PROGRAMS}/etcd"
SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
# made of Debian packages, for images that need a shell or iptables
BASE = "base"


@dataclass(frozen=True)
class Layer:
    """Programs by where they are in an image, and links; the base is not among them."""

    name: str
    programs: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Image:
    reference: str
    layers: tuple[str, ...]
    entrypoint: str = ""
    command: str = ""
    user: str = ""


LAYERS = (
    Layer("coredns", (("coredns", "coredns"),)),
    Layer("etcd", ((f"{PROGRAMS}/etcd", "server"), (f"{PROGRAMS}/etcdctl", "etcdctl"))),
    Layer("etcdutl", ((f"{PROGRAMS}/etcdutl", "etcdutl"),)),
    Layer("flannel", (("opt/bin/flanneld", "flanneld"),)),
    Layer("flannel-plugin", (("flannel", "flannel"),)),
    Layer(
        "kubernetes",
        ((f"{PROGRAMS}/kube-servers", "servers"),),
        tuple((f"{PROGRAMS}/{name}", "kube-servers") for name in SERVERS),
    ),
    Layer(
        "local-path-provisioner", (("usr/bin/local-path-provisioner", "local-path-provisioner"),)
    ),
    Layer("metrics-server", (("metrics-server", "metrics-server"),)),
    Layer("pause", (("pause", "pause"),)),
)

ARCHIVES = (
    ("busybox", (Image("docker.io/library/busybox:1.37", (BASE,), command="sh"),)),
    (
        "coredns",
        (Image("registry.k8s.io/coredns/coredns:v1.14.2", ("coredns",), "/coredns"),),
    ),
    (
        "etcd",
        (
            Image("registry.k8s.io/etcd:3.6.8-0", ("etcd",), command=ETCD),
            Image(
                "gcr.io/etcd-development/etcd:v3.6.8", ("etcd", "etcdutl"), command=ETCD
            ),
        ),
    ),
    (
        "flannel",
        (
            Image("ghcr.io/flannel-io/flannel:v0.28.4", (BASE, "flannel"), "/opt/bin/flanneld"),
            Image(
                "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1", (BASE, "flannel-plugin")
            ),
        ),
    ),
    (
        f"kubernetes-{KUBERNETES}",
        tuple(
            Image(
                f"registry.k8s.io/{name}:{KUBERNETES}",
                (BASE, "kubernetes") if name == "kube-proxy" else ("kubernetes",),
                f"/{PROGRAMS}/{name}",
            )
            for name in SERVERS
        ),
    ),
    (
        "local-path-provisioner",
        (
            Image(
                "docker.io/rancher/local-path-provisioner:v0.0.30",
                ("local-path-provisioner",),
                command="local-path-provisioner",
            ),
        ),
    ),
    (
        "metrics-server",
        (
            Image(
                "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
                ("metrics-server",),
                "/metrics-server",
                user="65534",
            ),
        ),
    ),
    ("pause", (Image("registry.k8s.io/pause:3.10.2", ("pause",), "/pause", user="65535:65535"),)),
)  # fmt: skip
